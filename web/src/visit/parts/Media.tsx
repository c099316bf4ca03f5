import { useEffect, useRef } from "react";
import { useLevel } from "./hooks";

/** Shows a video track. Mirrored for oneself, because that is how people know their face. */
export function Video({
  track,
  mirrored = false,
  fit = "cover",
  label,
}: {
  track: MediaStreamTrack;
  mirrored?: boolean;
  fit?: "cover" | "contain";
  label: string;
}) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) return undefined;
    video.srcObject = new MediaStream([track]);
    // Muted inline video may always play; a rejection only says that the element went away.
    void video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  return (
    <video
      ref={element}
      className="v-video"
      data-mirrored={mirrored || undefined}
      data-fit={fit}
      aria-label={label}
      autoPlay
      playsInline
      muted
    />
  );
}

/** Plays a voice on the chosen loudspeaker, and says so when the browser first wants a press. */
export function Voice({
  track,
  speaker,
  onBlocked,
}: {
  track: MediaStreamTrack;
  speaker: string | null;
  onBlocked: (resume: () => void) => void;
}) {
  const element = useRef<HTMLAudioElement>(null);
  const blocked = useRef(onBlocked);
  blocked.current = onBlocked;
  useEffect(() => {
    const audio = element.current;
    if (!audio) return undefined;
    audio.srcObject = new MediaStream([track]);
    void audio.play().catch((error: unknown) => {
      if ((error as { name?: string }).name !== "NotAllowedError") return;
      blocked.current(() => void audio.play().catch(() => undefined));
    });
    return () => {
      audio.srcObject = null;
    };
  }, [track]);
  useEffect(() => {
    const audio = element.current;
    if (speaker === null || !audio || !("setSinkId" in audio)) return;
    // A loudspeaker that has gone away is no reason for silence.
    void audio.setSinkId(speaker).catch(() => undefined);
  }, [speaker]);
  return <audio ref={element} autoPlay />;
}

const BARS = 12;

/** How loud the microphone hears somebody, as a row of bars that needs no reading. */
export function LevelBar({ track, label }: { track: MediaStreamTrack | null; label: string }) {
  const element = useRef<HTMLDivElement>(null);
  const heard = useRef(0);
  useLevel(track, (level) => {
    // Rises at once, falls slowly: a syllable can be seen.
    heard.current = Math.max(level, heard.current * 0.92);
    const bars = element.current?.children ?? [];
    for (let index = 0; index < bars.length; index += 1) {
      (bars[index] as HTMLElement).dataset.on = String(heard.current * BARS > index + 0.5);
    }
    element.current?.setAttribute("aria-valuenow", String(Math.round(heard.current * 100)));
  });
  return (
    <div
      ref={element}
      className="v-level"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    >
      {Array.from({ length: BARS }, (_, index) => (
        <i key={index} />
      ))}
    </div>
  );
}
