const XYZ_D50 = [0.9642, 1, 0.8249] as const;

const s15Fixed16 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Math.round(value * 65536));
  return bytes;
};
const ascii = (text: string) => Buffer.from(text, 'latin1');
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const xyz = (values: readonly number[]) =>
  Buffer.concat([ascii('XYZ '), uint32(0), ...values.map(s15Fixed16)]);

/** A display profile of three primaries (XYZ adapted to D50) and one gamma (ICC.1:2001-04, matrix/TRC). */
function matrixProfile(name: string, primaries: Record<'r' | 'g' | 'b', readonly number[]>, gamma: number) {
  const curve = Buffer.concat([ascii('curv'), uint32(0), uint32(1), Buffer.from([0, 0, 0, 0])]);
  curve.writeUInt16BE(Math.round(gamma * 256), 12);
  const description = Buffer.concat([
    ascii('desc'),
    uint32(0),
    uint32(name.length + 1),
    ascii(`${name}\0`),
    Buffer.alloc(78),
  ]);
  const tags: [string, Buffer][] = [
    ['desc', Buffer.concat([description, Buffer.alloc((4 - (description.length % 4)) % 4)])],
    ['wtpt', xyz(XYZ_D50)],
    ['rXYZ', xyz(primaries.r)],
    ['gXYZ', xyz(primaries.g)],
    ['bXYZ', xyz(primaries.b)],
    ['rTRC', curve],
    ['gTRC', curve],
    ['bTRC', curve],
  ];
  const table: Buffer[] = [uint32(tags.length)];
  let offset = 128 + 4 + tags.length * 12;
  for (const [signature, data] of tags) {
    table.push(ascii(signature), uint32(offset), uint32(data.length));
    offset += data.length;
  }
  const header = Buffer.alloc(128);
  header.writeUInt32BE(offset, 0);
  header.writeUInt32BE(0x02100000, 8);
  header.write('mntrRGB XYZ ', 12, 'latin1');
  header.write('acsp', 36, 'latin1');
  for (const [index, value] of XYZ_D50.entries()) s15Fixed16(value).copy(header, 68 + index * 4);
  return Buffer.concat([header, ...table, ...tags.map(([, data]) => data)]);
}

/** Adobe RGB (1998) by its published, D50-adapted primaries. */
export const adobeRgb = () =>
  matrixProfile(
    'Adobe RGB compatible',
    { r: [0.60974, 0.31111, 0.01947], g: [0.20528, 0.62567, 0.06087], b: [0.14919, 0.06322, 0.74457] },
    563 / 256,
  );
