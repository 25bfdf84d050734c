import type { z } from 'zod';
import type { TranscodeOutput } from '../../statemachines/contracts.ts';

/** Pixels of the widest rendition and seconds of the longest, as far as MediaConvert has told them. */
export function videoFacts(outputs: z.infer<typeof TranscodeOutput>[]) {
  const pictures = outputs.flatMap((output) => output.VideoDetails ?? []);
  const widest = pictures.sort((a, b) => b.WidthInPx - a.WidthInPx)[0];
  const milliseconds = Math.max(0, ...outputs.map((output) => output.DurationInMs ?? 0));
  return {
    ...(widest && { width: widest.WidthInPx, height: widest.HeightInPx }),
    ...(milliseconds > 0 && { durationSeconds: milliseconds / 1000 }),
  };
}
