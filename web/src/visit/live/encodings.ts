/** How a camera is encoded: once for each size somebody may want to see it in. */
import type { WantedPicture } from "./protocol";

/** Enough for a clear 720p picture of a person; the server's feedback goes below it. */
const CAMERA_BITRATE = 1_800_000;
const SCREEN_BITRATE = 2_500_000;
/** Browsers leave out the largest encodings of pictures smaller than this. In pixels. */
const LEAST_FOR_THREE = 960 * 540;
const LEAST_FOR_TWO = 480 * 270;

const SMALL: RTCRtpEncodingParameters = {
  rid: "q",
  scaleResolutionDownBy: 4,
  maxBitrate: 100_000,
  maxFramerate: 15,
};
const MIDDLE: RTCRtpEncodingParameters = { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 400_000 };
const FULL: RTCRtpEncodingParameters = {
  rid: "f",
  scaleResolutionDownBy: 1,
  maxBitrate: CAMERA_BITRATE,
};

/**
 * The encodings of a camera. Only the largest is active at first: most visits have one viewer, and
 * the server says when there are more (`media.wanted`).
 */
export function cameraEncodings({ width = 1280, height = 720 }: MediaTrackSettings): RTCRtpEncodingParameters[] {
  const pixels = width * height;
  if (pixels < LEAST_FOR_TWO) return [{ maxBitrate: CAMERA_BITRATE }];
  const smaller = pixels < LEAST_FOR_THREE ? [MIDDLE] : [SMALL, MIDDLE];
  return [...smaller.map((one) => ({ ...one, active: false })), { ...FULL, active: true }];
}

export const screenEncodings = (): RTCRtpEncodingParameters[] => [{ maxBitrate: SCREEN_BITRATE }];

/** Makes the encodings what is wanted. True when something changed. */
export function activate(
  encodings: readonly RTCRtpEncodingParameters[],
  { wanted, rids }: Pick<WantedPicture, "wanted" | "rids">,
): boolean {
  let changed = false;
  for (const encoding of encodings) {
    const active = wanted && (encoding.rid === undefined || rids.length === 0 || rids.includes(encoding.rid));
    if ((encoding.active ?? true) !== active) {
      encoding.active = active;
      changed = true;
    }
  }
  return changed;
}
