import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 30_000;

/**
 * Demuxers that may read an upload. Without the list a text file that calls itself a clip is read as a playlist, and
 * with it whatever local file it names.
 */
export const CONTAINERS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg';
/** Options in front of every untrusted `-i`. */
export const UNTRUSTED = ['-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS];

const Stream = z.object({
  index: z.int(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  sample_aspect_ratio: z.string().optional(),
  color_transfer: z.string().optional(),
  duration: z.coerce.number().optional(),
  disposition: z.object({ attached_pic: z.number() }).partial().optional(),
  side_data_list: z.array(z.looseObject({ rotation: z.number().optional() })).optional(),
});
const Answer = z.object({
  streams: z.array(Stream).default([]),
  format: z.object({ duration: z.coerce.number().optional() }).prefault({}),
});

export interface Probe {
  /** index of the first moving picture's track */
  videoTrack: number;
  /** index of the first track of sound, if there is one */
  audioTrack: number | undefined;
  /** pixels, as stored */
  width: number;
  height: number;
  /** width of a pixel over its height */
  pixelAspect: number;
  /** degrees clockwise that a player turns the stored picture: 0, 90, 180 or 270 */
  rotation: number;
  /** PQ or HLG */
  highDynamicRange: boolean;
  /** seconds; 0 when the container does not say */
  duration: number;
}

/** What ffprobe says about a file on disk. Throws with ffprobe's own words when it cannot be read or shows nothing. */
export async function probe(file: string, signal?: AbortSignal): Promise<Probe> {
  const { stdout } = await run(
    'ffprobe',
    [...UNTRUSTED, '-v', 'error', '-show_streams', '-show_format', '-of', 'json', file],
    { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 8 * 1024 ** 2, signal },
  );
  const { streams, format } = Answer.parse(JSON.parse(stdout));
  const video = streams.find((stream) => stream.codec_type === 'video' && !stream.disposition?.attached_pic);
  if (!video?.width || !video.height) throw new Error('no video track');
  const [horizontal = 1, vertical = 1] = (video.sample_aspect_ratio ?? '1:1').split(':').map(Number);
  // ffprobe counts counter-clockwise
  const turned = video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  return {
    videoTrack: video.index,
    audioTrack: streams.find((stream) => stream.codec_type === 'audio' && stream.codec_name)?.index,
    width: video.width,
    height: video.height,
    pixelAspect: horizontal > 0 && vertical > 0 ? horizontal / vertical : 1,
    rotation: (((Math.round(-turned / 90) * 90) % 360) + 360) % 360,
    highDynamicRange: ['smpte2084', 'arib-std-b67'].includes(video.color_transfer ?? ''),
    duration: video.duration ?? format.duration ?? 0,
  };
}
