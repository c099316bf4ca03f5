import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { Button, Notice, Select } from "../base";
import {
  abilityOf,
  listDevices,
  onDeviceChange,
  openDevices,
  openOne,
  rememberChoice,
  rememberedChoice,
  stopTracks,
  type Capture,
  type DeviceLists,
} from "../live/devices";
import { play } from "../live/sound";
import type { VisitText } from "../text";
import type { ProbeAccess } from "../live/probe";
import { useLevel } from "./hooks";
import { Icon } from "./icons";
import { LevelBar, Video } from "./Media";
import { NetworkTest } from "./NetworkTest";

const NO_LISTS: DeviceLists = { cameras: [], microphones: [], speakers: [] };
/** As loud as a person speaking at arm's length. */
const HEARD = 0.42;

/**
 * Camera, microphone, loudspeaker and network, tried before anybody looks. Whatever is missing, there is a
 * way on, and the verdict says which.
 */
export function DeviceCheck({
  text,
  title,
  lead,
  continueLabel,
  onContinue,
  network,
  children,
}: {
  text: VisitText;
  title: string;
  lead: string;
  continueLabel: string;
  /** Receives the opened devices; the receiver closes them. */
  onContinue: (capture: Capture) => Promise<void> | void;
  /** Fetches what the network test needs; without it there is no test. */
  network?: (() => Promise<ProbeAccess>) | undefined;
  children?: ReactNode;
}) {
  const [capture, setCapture] = useState<Capture | null>(null);
  const [lists, setLists] = useState<DeviceLists>(NO_LISTS);
  const [choice, setChoice] = useState(rememberedChoice);
  const [heard, setHeard] = useState(false);
  const [busy, setBusy] = useState(false);
  const handedOver = useRef(false);
  const opened = useRef<Capture | null>(null);

  const take = useCallback((next: Capture) => {
    const before = opened.current;
    if (before && before.camera !== next.camera) stopTracks(before.camera);
    if (before && before.microphone !== next.microphone) stopTracks(before.microphone);
    opened.current = next;
    setCapture(next);
    void listDevices().then(setLists);
  }, []);

  useEffect(() => {
    let gone = false;
    void openDevices().then((first) => {
      if (gone) stopTracks(first.camera, first.microphone);
      else take(first);
    });
    const unlisten = onDeviceChange(() => void listDevices().then(setLists));
    return () => {
      gone = true;
      unlisten();
      if (!handedOver.current) stopTracks(opened.current?.camera, opened.current?.microphone);
    };
  }, [take]);

  useLevel(heard ? null : (capture?.microphone ?? null), (level) => {
    if (level > HEARD) setHeard(true);
  });

  async function choose(kind: "camera" | "microphone", deviceId: string) {
    rememberChoice({ [kind]: deviceId });
    setChoice(rememberedChoice());
    if (kind === "camera") stopTracks(opened.current?.camera);
    const { track, problem } = await openOne(kind, deviceId);
    if (!opened.current) return;
    take(
      kind === "camera"
        ? { ...opened.current, camera: track, cameraProblem: problem }
        : { ...opened.current, microphone: track, microphoneProblem: problem },
    );
    if (kind === "microphone") setHeard(false);
  }

  async function recheck() {
    stopTracks(opened.current?.camera, opened.current?.microphone);
    opened.current = null;
    setCapture(null);
    take(await openDevices());
  }

  async function proceed() {
    if (!capture) return;
    setBusy(true);
    handedOver.current = true;
    try {
      await onContinue(capture);
    } catch {
      handedOver.current = false;
    } finally {
      setBusy(false);
    }
  }

  const ability = capture ? abilityOf(capture) : null;
  const current = (kind: "camera" | "microphone") =>
    capture?.[kind]?.getSettings().deviceId ?? choice[kind] ?? "";
  return (
    <section className="v-check" aria-labelledby="check-title">
      <header className="v-check-head">
        <h1 id="check-title">{title}</h1>
        <p>{lead}</p>
      </header>
      <div className="v-check-picture">
        <div className="v-preview">
          {capture?.camera ? (
            <Video track={capture.camera} mirrored label={text("check.cameraPreview")} />
          ) : (
            <div className="v-preview-empty">
              <Icon name={capture ? "cameraOff" : "camera"} size={36} />
              <p>{capture ? text("check.cameraOff") : text("check.starting")}</p>
            </div>
          )}
        </div>
        {children}
      </div>
      <div className="v-check-tests">
        <div className="v-test">
          <h2>
            <Icon name="camera" size={20} /> {text("check.camera")}
          </h2>
          {capture?.cameraProblem && (
            <p className="v-problem">{text(`check.problem.camera.${capture.cameraProblem}`)}</p>
          )}
          {lists.cameras.length > 1 && (
            <Select
              label={text("check.camera")}
              hideLabel
              value={current("camera")}
              options={lists.cameras.map(({ deviceId, label }) => ({ value: deviceId, label }))}
              onChange={(id) => void choose("camera", id)}
            />
          )}
          {capture?.camera && lists.cameras.length <= 1 && (
            <p className="v-device-name">{capture.camera.label}</p>
          )}
        </div>
        <div className="v-test">
          <h2>
            <Icon name="microphone" size={20} /> {text("check.microphone")}
          </h2>
          {capture?.microphoneProblem ? (
            <p className="v-problem">
              {text(`check.problem.microphone.${capture.microphoneProblem}`)}
            </p>
          ) : (
            <>
              <LevelBar track={capture?.microphone ?? null} label={text("check.level")} />
              <p className={heard ? "v-good" : "v-soft"} role="status">
                {heard && <Icon name="check" size={18} />}
                {text(heard ? "check.heard" : "check.speak")}
              </p>
            </>
          )}
          {lists.microphones.length > 1 && (
            <Select
              label={text("check.microphone")}
              hideLabel
              value={current("microphone")}
              options={lists.microphones.map(({ deviceId, label }) => ({
                value: deviceId,
                label,
              }))}
              onChange={(id) => void choose("microphone", id)}
            />
          )}
        </div>
        <SpeakerTest text={text} lists={lists} />
        {network && <NetworkTest text={text} access={network} />}
      </div>
      <footer className="v-check-foot">
        {ability && (
          <Notice tone={ability === "full" ? "good" : "attention"} testId="device-verdict">
            {text(`check.verdict.${ability}`)}
          </Notice>
        )}
        <div className="v-actions">
          {ability && ability !== "full" && (
            <Button variant="secondary" onPress={() => void recheck()}>
              {text("check.recheck")}
            </Button>
          )}
          <Button size="large" isDisabled={!capture} isPending={busy} onPress={() => void proceed()}>
            {ability === null || ability === "full"
              ? continueLabel
              : text("check.continueWithout")}
          </Button>
        </div>
      </footer>
    </section>
  );
}

function SpeakerTest({ text, lists }: { text: VisitText; lists: DeviceLists }) {
  const [speaker, setSpeaker] = useState(() => rememberedChoice().speaker ?? "");
  const [state, setState] = useState<"untried" | "playing" | "asked" | "good" | "bad">("untried");

  async function test() {
    setState("playing");
    await play("test", speaker || undefined);
    setState("asked");
  }

  return (
    <div className="v-test">
      <h2>
        <Icon name="speaker" size={20} /> {text("check.speaker")}
      </h2>
      {lists.speakers.length > 1 && (
        <Select
          label={text("check.speaker")}
          hideLabel
          value={
            lists.speakers.some(({ deviceId }) => deviceId === speaker)
              ? speaker
              : (lists.speakers[0]?.deviceId ?? "")
          }
          options={lists.speakers.map(({ deviceId, label }) => ({
            value: deviceId,
            label: label || text("check.speakerDefault"),
          }))}
          onChange={(id) => {
            rememberChoice({ speaker: id });
            setSpeaker(id);
            setState("untried");
          }}
        />
      )}
      {state === "asked" ? (
        <div className="v-ask" role="group" aria-label={text("check.didYouHear")}>
          <span>{text("check.didYouHear")}</span>
          <Button size="small" variant="secondary" onPress={() => setState("good")}>
            {text("check.yes")}
          </Button>
          <Button size="small" variant="secondary" onPress={() => setState("bad")}>
            {text("check.no")}
          </Button>
        </div>
      ) : (
        <div className="v-ask">
          <Button
            size="small"
            variant="secondary"
            isPending={state === "playing"}
            onPress={() => void test()}
          >
            {text(state === "playing" ? "check.playing" : "check.playTone")}
          </Button>
          {state === "good" && (
            <p className="v-good" role="status">
              <Icon name="check" size={18} /> {text("check.speakerGood")}
            </p>
          )}
        </div>
      )}
      {state === "bad" && <p className="v-problem">{text("check.speakerBad")}</p>}
    </div>
  );
}
