declare module 'heic-decode' {
  export interface Picture {
    /** pixels after the file's own rotation and mirroring */
    width: number;
    height: number;
    decode(): Promise<{ width: number; height: number; data: Uint8ClampedArray<ArrayBuffer> }>;
  }
  const decode: {
    all(input: { buffer: Uint8Array }): Promise<Picture[] & { dispose(): void }>;
  };
  // biome-ignore lint/style/noDefaultExport: the shape of the package
  export default decode;
}
