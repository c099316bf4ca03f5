/**
 * Cameras, microphones and loudspeakers: asked for gently, remembered, and every failure named,
 * so that the page can say what still works.
 */

/** Why a device cannot be used, in our words rather than each browser's. */
export type DeviceProblem = "denied" | "missing" | "in_use" | "insecure" | "unsupported" | "failed";

/** What a person can do in the visit with the devices that work. */
export type Ability = "full" | "audio_only" | "video_only" | "listen_only";

export interface Capture {
  camera: MediaStreamTrack | null;
  microphone: MediaStreamTrack | null;
  cameraProblem: DeviceProblem | null;
  microphoneProblem: DeviceProblem | null;
}

export interface DeviceChoice {
  camera?: string;
  microphone?: string;
  speaker?: string;
  /** The room behind the person is blurred. */
  blur?: boolean;
}

export interface DeviceLists {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

const CHOICE_KEY = "bedside.devices";
/** 720p at 30 frames: a calm portrait, and what a five-year-old phone encodes without heat. */
const CAMERA_WISH: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
  facingMode: "user",
};
const MICROPHONE_WISH: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

export function abilityOf({ camera, microphone }: Capture): Ability {
  if (camera && microphone) return "full";
  if (microphone) return "audio_only";
  return camera ? "video_only" : "listen_only";
}

/** Names an error of getUserMedia or getDisplayMedia. */
export function problemOf(error: unknown): DeviceProblem {
  switch ((error as { name?: string } | null)?.name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return "in_use";
    default:
      return "failed";
  }
}

/**
 * Opens camera and microphone. Both in one question first, so that the browser asks once; where
 * that fails each by itself, so that one broken device does not take the other along. Never
 * rejects: what is missing is named in the result.
 */
export async function openDevices(choice: DeviceChoice = rememberedChoice()): Promise<Capture> {
  const unavailable = environmentProblem();
  if (unavailable) {
    return {
      camera: null,
      microphone: null,
      cameraProblem: unavailable,
      microphoneProblem: unavailable,
    };
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: cameraWish(choice.camera),
      audio: microphoneWish(choice.microphone),
    });
    return {
      camera: stream.getVideoTracks()[0] ?? null,
      microphone: stream.getAudioTracks()[0] ?? null,
      cameraProblem: null,
      microphoneProblem: null,
    };
  } catch {
    const camera = await openOne("camera", choice.camera);
    const microphone = await openOne("microphone", choice.microphone);
    return {
      camera: camera.track,
      microphone: microphone.track,
      cameraProblem: camera.problem,
      microphoneProblem: microphone.problem,
    };
  }
}

/** Opens one device, the chosen one if it is still there. */
export async function openOne(
  kind: "camera" | "microphone",
  deviceId?: string,
): Promise<{ track: MediaStreamTrack | null; problem: DeviceProblem | null }> {
  const unavailable = environmentProblem();
  if (unavailable) return { track: null, problem: unavailable };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(
      kind === "camera" ? { video: cameraWish(deviceId) } : { audio: microphoneWish(deviceId) },
    );
    return { track: stream.getTracks()[0] ?? null, problem: null };
  } catch (error) {
    return { track: null, problem: problemOf(error) };
  }
}

/** Asks which screen or window to share. Null when the person changed their mind. */
export async function openScreen(): Promise<MediaStreamTrack | null> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false });
    const track = stream.getVideoTracks()[0] ?? null;
    // Text on a slide or a scan must stay sharp; smooth motion matters less.
    if (track) track.contentHint = "detail";
    return track;
  } catch (error) {
    if (problemOf(error) === "denied") return null;
    throw error;
  }
}

export function canShareScreen(): boolean {
  return "mediaDevices" in navigator && "getDisplayMedia" in navigator.mediaDevices;
}

export async function listDevices(): Promise<DeviceLists> {
  if (environmentProblem()) return { cameras: [], microphones: [], speakers: [] };
  const devices = await navigator.mediaDevices.enumerateDevices();
  const named = devices.filter(({ deviceId }) => deviceId !== "");
  return {
    cameras: named.filter(({ kind }) => kind === "videoinput"),
    microphones: named.filter(({ kind }) => kind === "audioinput"),
    speakers: named.filter(({ kind }) => kind === "audiooutput"),
  };
}

/** Calls back when something is plugged in or out. */
export function onDeviceChange(changed: () => void): () => void {
  if (environmentProblem()) return () => undefined;
  navigator.mediaDevices.addEventListener("devicechange", changed);
  return () => navigator.mediaDevices.removeEventListener("devicechange", changed);
}

export function rememberedChoice(): DeviceChoice {
  try {
    return JSON.parse(window.localStorage.getItem(CHOICE_KEY) ?? "{}") as DeviceChoice;
  } catch {
    return {};
  }
}

export function rememberChoice(choice: DeviceChoice): void {
  try {
    window.localStorage.setItem(CHOICE_KEY, JSON.stringify({ ...rememberedChoice(), ...choice }));
  } catch {
    // A private window without storage simply asks again next time.
  }
}

export function stopTracks(...tracks: (MediaStreamTrack | null | undefined)[]): void {
  for (const track of tracks) track?.stop();
}

function environmentProblem(): DeviceProblem | null {
  if (!window.isSecureContext) return "insecure";
  return "mediaDevices" in navigator ? null : "unsupported";
}

function cameraWish(deviceId?: string): MediaTrackConstraints {
  // `ideal`, not `exact`: a camera that was unplugged since is replaced, not missed.
  return deviceId ? { ...CAMERA_WISH, deviceId: { ideal: deviceId } } : CAMERA_WISH;
}

function microphoneWish(deviceId?: string): MediaTrackConstraints {
  return deviceId ? { ...MICROPHONE_WISH, deviceId: { ideal: deviceId } } : MICROPHONE_WISH;
}
