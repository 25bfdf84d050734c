/** Upright pixels that a picture must fit into; a smaller one is not enlarged. */
interface Box {
  width: number;
  height: number;
}

const LONG_SIDE = { hd: 1920, sd: 1280 };
const SHORT_SIDE = { hd: 1080, sd: 720 };

const box = (orientation: 'horizontal' | 'vertical', size: 'hd' | 'sd'): Box =>
  orientation === 'horizontal'
    ? { width: LONG_SIDE[size], height: SHORT_SIDE[size] }
    : { width: SHORT_SIDE[size], height: LONG_SIDE[size] };

const frame = ({ width, height }: Box) => ({
  Width: width,
  Height: height,
  ScalingBehavior: 'FIT_NO_UPSCALE',
});

/** One MP4 that starts playing before it is all there. Rates in bits per second. */
const mp4 = (modifier: string, size: Box, maxVideoRate: number, audioRate: number) => ({
  NameModifier: modifier,
  ContainerSettings: {
    Container: 'MP4',
    Mp4Settings: { MoovPlacement: 'PROGRESSIVE_DOWNLOAD', CslgAtom: 'INCLUDE', FreeSpaceBox: 'EXCLUDE' },
  },
  VideoDescription: {
    ...frame(size),
    CodecSettings: {
      Codec: 'H_264',
      H264Settings: {
        RateControlMode: 'QVBR',
        MaxBitrate: maxVideoRate,
        QvbrSettings: { QvbrQualityLevel: 8 },
        QualityTuningLevel: 'SINGLE_PASS_HQ',
        SceneChangeDetect: 'TRANSITION_DETECTION',
        FramerateControl: 'INITIALIZE_FROM_SOURCE',
        ParControl: 'INITIALIZE_FROM_SOURCE',
      },
    },
  },
  AudioDescriptions: [
    {
      AudioSourceName: 'Audio Selector 1',
      CodecSettings: {
        Codec: 'AAC',
        AacSettings: { Bitrate: audioRate, CodingMode: 'CODING_MODE_2_0', SampleRate: 48_000 },
      },
    },
  ],
});

/** Stills of seconds 0 and 1: the second one is the poster, the first one serves a clip shorter than that. */
const poster = (modifier: string, size: Box) => ({
  NameModifier: modifier,
  Extension: 'jpg',
  ContainerSettings: { Container: 'RAW' },
  VideoDescription: {
    ...frame(size),
    CodecSettings: {
      Codec: 'FRAME_CAPTURE',
      FrameCaptureSettings: { FramerateNumerator: 1, FramerateDenominator: 1, MaxCaptures: 2, Quality: 90 },
    },
  },
});

/**
 * MediaConvert JobTemplateSettings. A job merges its own settings into these by position, and the state machine gives
 * the input and the destination of the one output group; renditions are named `{input}{NameModifier}`
 * (statemachines/object-keys.ts).
 */
export const jobTemplateSettings = (orientation: 'horizontal' | 'vertical') => ({
  TimecodeConfig: { Source: 'ZEROBASED' },
  Inputs: [
    {
      TimecodeSource: 'ZEROBASED',
      AudioSelectors: { 'Audio Selector 1': { DefaultSelection: 'DEFAULT' } },
      VideoSelector: { Rotate: 'AUTO' },
    },
  ],
  OutputGroups: [
    {
      Name: 'Renditions',
      OutputGroupSettings: { Type: 'FILE_GROUP_SETTINGS', FileGroupSettings: {} },
      Outputs: [
        mp4('-1080p', box(orientation, 'hd'), 5_000_000, 128_000),
        mp4('-720p', box(orientation, 'sd'), 3_000_000, 96_000),
        poster('-poster', box(orientation, 'hd')),
      ],
    },
  ],
});
