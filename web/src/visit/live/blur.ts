/**
 * The room behind a person, blurred on their own device. Model and code come with the application
 * and are loaded when somebody first asks for them; pictures never leave the page unblurred.
 */

/** Where `vite.config.ts` puts the model and its programs. */
const ASSETS = "/blur/";
const FRAMES_A_SECOND = 24;
/** Strong enough that nothing can be read, at the sizes a call has. */
const RADIUS = 15;
const FIRST_PICTURE_WITHIN_MS = 15_000;
/** A picture that takes this long on the average is made smaller: movement matters more than lines. */
const SLOW_MS = 80;
const SMALLER_LINES = 360;

export interface Blurred {
  track: MediaStreamTrack;
  /** Ends the blurred track. The camera's own goes on. */
  stop: () => void;
}

/** Whether this browser has what the model needs. */
export function canBlur(): boolean {
  return (
    "WebAssembly" in window &&
    "OffscreenCanvas" in window &&
    "createImageBitmap" in window &&
    "captureStream" in HTMLCanvasElement.prototype
  );
}

/** Resolves with the blurred track once there is a picture of it; rejects where it can't be made. */
export async function blur(camera: MediaStreamTrack): Promise<Blurred> {
  const { GaussianBlurBackgroundProcessor } = await import("@twilio/video-processors");
  const processor = new GaussianBlurBackgroundProcessor({ assetsPath: ASSETS, blurFilterRadius: RADIUS });
  await processor.loadModel();
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([camera]);
  await video.play();
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth || 640;
  canvas.height = video.videoHeight || 480;
  // The processor draws whole bitmaps; the context must exist before the canvas can be captured.
  canvas.getContext("bitmaprenderer");
  let running = true;
  let timer = 0;
  let average = 0;
  let smaller: OffscreenCanvas | null = null;
  const input = (): HTMLVideoElement | OffscreenCanvas => {
    if (!smaller) return video;
    smaller.getContext("2d", { alpha: false })?.drawImage(video, 0, 0, smaller.width, smaller.height);
    return smaller;
  };
  const watch = (spent: number) => {
    average = average ? 0.8 * average + 0.2 * spent : spent;
    if (smaller || average < SLOW_MS || video.videoHeight <= SMALLER_LINES) return;
    const width = Math.round((video.videoWidth * SMALLER_LINES) / video.videoHeight / 2) * 2;
    smaller = new OffscreenCanvas(width, SMALLER_LINES);
    [canvas.width, canvas.height] = [width, SMALLER_LINES];
  };
  // A timer, not the page's painting: the picture goes on while another window is in front.
  const paint = async () => {
    if (!running) return;
    const begun = performance.now();
    if (video.videoWidth > 0) await processor.processFrame(input(), canvas);
    const spent = performance.now() - begun;
    watch(spent);
    if (running) timer = window.setTimeout(() => void paint(), Math.max(4, 1000 / FRAMES_A_SECOND - spent));
  };
  const stop = () => {
    running = false;
    window.clearTimeout(timer);
    video.srcObject = null;
  };
  try {
    await within(FIRST_PICTURE_WITHIN_MS, processor.processFrame(video, canvas)); // loads the model, too: no measure
  } catch (error) {
    stop();
    throw error;
  }
  const track = canvas.captureStream(FRAMES_A_SECOND).getVideoTracks()[0];
  if (!track) {
    stop();
    throw new Error("the canvas gives no track");
  }
  void paint();
  return {
    track,
    stop: () => {
      stop();
      track.stop();
    },
  };
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    window.setTimeout(() => reject(new Error("the model is too slow here")), ms);
  });
  return Promise.race([work, late]);
}
