/**
 * The sounds of the visit and the level of a microphone, made with Web Audio: nothing to load.
 */

const RESUME_WITHIN_MS = 500;

let shared: AudioContext | null = null;

function context(): AudioContext | null {
  if (!("AudioContext" in window)) return null;
  shared ??= new AudioContext();
  return shared;
}

/** Browsers allow sound only after a press on the page; call this in one. */
export async function allowSound(): Promise<boolean> {
  // Without any press so far the browser would only refuse, and complain on its console.
  if (navigator.userActivation?.hasBeenActive === false) return false;
  const audio = context();
  if (!audio) return false;
  if (audio.state === "suspended") {
    // Without a sound device Firefox neither resumes nor refuses: nobody waits for that.
    const givenUp = new Promise((resolve) => window.setTimeout(resolve, RESUME_WITHIN_MS));
    await Promise.race([audio.resume().catch(() => undefined), givenUp]);
  }
  return audio.state === "running";
}

export function soundAllowed(): boolean {
  return shared?.state === "running";
}

interface Note {
  hertz: number;
  at: number;
  seconds: number;
}

/** A warm rising third and fifth: "you may come in". */
const ADMITTED: readonly Note[] = [
  { hertz: 523.25, at: 0, seconds: 0.5 },
  { hertz: 659.25, at: 0.18, seconds: 0.5 },
  { hertz: 783.99, at: 0.36, seconds: 0.9 },
];
const ARRIVED: readonly Note[] = [
  { hertz: 587.33, at: 0, seconds: 0.3 },
  { hertz: 783.99, at: 0.14, seconds: 0.5 },
];
const MESSAGE: readonly Note[] = [{ hertz: 880, at: 0, seconds: 0.25 }];
const TEST: readonly Note[] = [
  { hertz: 392, at: 0, seconds: 0.5 },
  { hertz: 523.25, at: 0.35, seconds: 0.5 },
  { hertz: 659.25, at: 0.7, seconds: 0.9 },
];
const TUNES = { admitted: ADMITTED, arrived: ARRIVED, message: MESSAGE, test: TEST };
const PEAK_GAIN = 0.18;

/** Plays a short tune, on the chosen loudspeaker where the browser can. Resolves at its end. */
export async function play(tune: keyof typeof TUNES, speakerId?: string): Promise<boolean> {
  if (!(await allowSound())) return false;
  const audio = context();
  if (!audio) return false;
  await setSink(audio, speakerId);
  const start = audio.currentTime + 0.02;
  let end = start;
  for (const { hertz, at, seconds } of TUNES[tune]) {
    const oscillator = new OscillatorNode(audio, { type: "sine", frequency: hertz });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, start + at);
    gain.gain.linearRampToValueAtTime(PEAK_GAIN, start + at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + at + seconds);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start + at);
    oscillator.stop(start + at + seconds);
    end = Math.max(end, start + at + seconds);
  }
  await new Promise((resolve) => window.setTimeout(resolve, (end - audio.currentTime) * 1000));
  return true;
}

async function setSink(audio: AudioContext, speakerId: string | undefined): Promise<void> {
  const routed = audio as AudioContext & { setSinkId?: (id: string) => Promise<void> };
  if (speakerId === undefined || !routed.setSinkId) return;
  // A loudspeaker that has gone away is no reason for silence: the default one plays.
  await routed.setSinkId(speakerId).catch(() => undefined);
}

export interface LevelMeter {
  /** Loudness now, from 0 (silence) to 1 (as loud as a microphone takes). */
  read: () => number;
  close: () => void;
}

/** Quietest and loudest levels that are shown, in decibels below full scale. */
const FLOOR_DB = -60;
const CEILING_DB = -12;

/** Measures a microphone. The track itself is not changed, and nothing is played. */
export function meter(track: MediaStreamTrack): LevelMeter | null {
  const audio = context();
  if (!audio) return null;
  // A page that captures may run sound without a press.
  if (audio.state === "suspended") void audio.resume().catch(() => undefined);
  const source = audio.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(audio, { fftSize: 1024, smoothingTimeConstant: 0 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    read: () => {
      analyser.getFloatTimeDomainData(samples);
      return loudness(samples);
    },
    close: () => source.disconnect(),
  };
}

/** Root mean square on a decibel scale, mapped to 0..1: how loud it feels, not how strong it is. */
export function loudness(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < samples.length; index += 1) sum += (samples[index] ?? 0) ** 2;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  if (rms === 0) return 0;
  const decibels = 20 * Math.log10(rms);
  return Math.min(1, Math.max(0, (decibels - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}
