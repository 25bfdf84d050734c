import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Watchdog } from '../watchdog.ts';
import { type Probe, UNTRUSTED } from './probe.ts';
import type { Output, Rotation } from './settings.ts';

const run = promisify(execFile);
/** 8K; a header may promise more than any memory holds */
const MAXIMUM_PIXELS = 8192 * 8192;
const ERROR_TAIL = 2_000;

export interface Dimensions {
  width: number;
  height: number;
}

const TURNS: Record<Exclude<Rotation, 'AUTO' | 'DEGREE_0'>, string> = {
  DEGREES_90: 'transpose=clock',
  DEGREES_180: 'hflip,vflip',
  DEGREES_270: 'transpose=cclock',
};

/** Pixels of the picture as a viewer sees it: turned, with square pixels. */
export function upright(source: Probe, rotate: Rotation): Dimensions {
  const degrees = rotate === 'AUTO' ? source.rotation : Number(rotate.replace(/\D+/, ''));
  const width = Math.round(source.width * source.pixelAspect);
  return degrees % 180 ? { width: source.height, height: width } : { width, height: source.height };
}

const even = (value: number, limit: number) => Math.max(2, Math.min(Math.round(value / 2), limit >> 1) * 2);

/** The largest picture of the same shape inside the output's box, in even pixels as 4:2:0 needs. */
export function fitInto(
  picture: Dimensions,
  { Width, Height, ScalingBehavior }: Output['VideoDescription'],
): Dimensions {
  const scale = Math.min(
    Width ? Width / picture.width : Number.POSITIVE_INFINITY,
    Height ? Height / picture.height : Number.POSITIVE_INFINITY,
    ScalingBehavior === 'FIT_NO_UPSCALE' || !(Width || Height) ? 1 : Number.POSITIVE_INFINITY,
  );
  const limit = (box: number | undefined, side: number) => Math.min(box ?? side, Math.ceil(side * scale));
  return {
    width: even(picture.width * scale, limit(Width, picture.width)),
    height: even(picture.height * scale, limit(Height, picture.height)),
  };
}

/** PQ and HLG → BT.709, for screens of ordinary range. */
const TONE_MAP = [
  'zscale=transfer=linear:npl=203',
  'format=gbrpf32le',
  'zscale=primaries=bt709',
  'tonemap=tonemap=hable:desat=0',
  'zscale=transfer=bt709:matrix=bt709:range=limited',
  'format=yuv420p',
];

/** Where ffmpeg leaves an output: one file, or a pattern of numbered ones. */
export const outputFile = (output: Output, index: number) =>
  output.VideoDescription.CodecSettings.Codec === 'FRAME_CAPTURE' ? `${index}.%07d.jpg` : `${index}.mp4`;

const sound = ({ Bitrate, SampleRate }: { Bitrate: number; SampleRate: number }) =>
  ['-c:a', 'aac', '-b:a', Bitrate, '-ar', SampleRate, '-ac', 2].map(String);

function encoding(output: Output, source: Probe): string[] {
  const codec = output.VideoDescription.CodecSettings;
  if (codec.Codec === 'FRAME_CAPTURE') {
    const { MaxCaptures, Quality } = codec.FrameCaptureSettings;
    // 2 is the best of mjpeg's scale, 31 its worst
    const scale = String(Math.round(2 + ((100 - Quality) / 99) * 29));
    return ['-frames:v', String(MaxCaptures), '-q:v', scale, '-vsync', 'passthrough', '-start_number', '0'];
  }
  const { RateControlMode, MaxBitrate, Bitrate, QvbrSettings } = codec.H264Settings;
  const ceiling = MaxBitrate ?? Bitrate;
  const audio = output.AudioDescriptions[0]?.CodecSettings.AacSettings;
  return [
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-profile:v',
      'high',
      '-pix_fmt',
      'yuv420p',
      '-threads',
      '2',
    ],
    // quality levels 7, 8, 9 look like x264's factors 23, 21, 19
    ...(RateControlMode === 'QVBR' ? ['-crf', String(37 - 2 * QvbrSettings.QvbrQualityLevel)] : []),
    ...(RateControlMode !== 'QVBR' && Bitrate ? ['-b:v', String(Bitrate)] : []),
    ...(ceiling ? ['-maxrate', String(ceiling), '-bufsize', String(2 * ceiling)] : []),
    ...(audio && source.audioTrack !== undefined ? ['-map', `0:${source.audioTrack}`, ...sound(audio)] : []),
    // a phone writes into its clips where they were taken
    ...['-map_metadata', '-1', '-map_chapters', '-1', '-movflags', '+faststart'],
  ];
}

function picture(output: Output, { width, height }: Dimensions): string {
  const codec = output.VideoDescription.CodecSettings;
  if (codec.Codec === 'H_264') return `scale=${width}:${height},format=yuv420p`;
  const { FramerateNumerator, FramerateDenominator } = codec.FrameCaptureSettings;
  const seconds = FramerateDenominator / FramerateNumerator;
  // JFIF means BT.601 in full range
  return `select='gte(t-start_t,selected_n*${seconds})',scale=${width}:${height}:out_range=full:out_color_matrix=bt601,format=yuvj420p`;
}

/** Arguments that decode `input` once and write every output below the working directory. */
export function transcodeArguments(
  input: string,
  source: Probe,
  rotate: Rotation,
  outputs: Output[],
  { toneMap = false } = {},
): string[] {
  const sizes = outputs.map((output) => fitInto(upright(source, rotate), output.VideoDescription));
  const largest = sizes.reduce((a, b) => (a.width * a.height >= b.width * b.height ? a : b));
  const shared = [
    ...(rotate === 'AUTO' || rotate === 'DEGREE_0' ? [] : [TURNS[rotate]]),
    `scale=${largest.width}:${largest.height}`,
    'setsar=1',
    ...(toneMap ? TONE_MAP : []),
    `split=${outputs.length}`,
  ];
  const graph = [
    `[0:${source.videoTrack}]${shared.join(',')}${outputs.map((_, i) => `[s${i}]`).join('')}`,
    ...outputs.map((output, i) => `[s${i}]${picture(output, sizes[i] ?? largest)}[v${i}]`),
  ];
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-progress', 'pipe:1', '-y'],
    ...(rotate === 'AUTO' ? [] : ['-noautorotate']),
    ...['-threads', '2', '-max_pixels', String(MAXIMUM_PIXELS), ...UNTRUSTED, '-i', input],
    ...['-filter_complex', graph.join(';'), '-filter_complex_threads', '2'],
    ...outputs.flatMap((output, i) => [
      '-map',
      `[v${i}]`,
      ...encoding(output, source),
      '-dn',
      '-sn',
      outputFile(output, i),
    ]),
  ];
}

/** Whether this build of ffmpeg can map high dynamic range to ordinary range. */
export async function mapsTones(): Promise<boolean> {
  const { stdout } = await run('ffmpeg', ['-hide_banner', '-filters']);
  return /\bzscale\b/.test(stdout) && /\btonemap\b/.test(stdout);
}

export interface Run {
  directory: string;
  signal: AbortSignal;
  /** seconds of the input that are done */
  onProgress: (seconds: number) => void;
  /** sees to it that ffmpeg does not outlive this process */
  watchdog?: Pick<Watchdog, 'watch' | 'forget'> | undefined;
}

/** Runs ffmpeg in `directory`. Rejects with the end of its error output, or with the signal's reason. */
export async function ffmpeg(
  args: string[],
  { directory, signal, onProgress, watchdog }: Run,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('ffmpeg', args, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid) watchdog?.watch(child.pid);
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-ERROR_TAIL);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const microseconds = /^out_time_us=(\d+)$/.exec(line)?.[1];
    if (microseconds) onProgress(Number(microseconds) / 1e6);
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal.throwIfAborted();
    if (code !== 0) throw new Error(errors.trim() || `ffmpeg ended with ${code ?? child.signalCode}`);
  } finally {
    signal.removeEventListener('abort', kill);
    if (child.pid) watchdog?.forget(child.pid);
  }
}
