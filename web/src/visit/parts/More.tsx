import { useEffect, useState } from "react";
import { Checkbox, Choices } from "../../design";
import { Button, Dialog, Select } from "../base";
import { canBlur } from "../live/blur";
import { listDevices, onDeviceChange, type DeviceLists } from "../live/devices";
import type { VisitSession, VisitView } from "../live/session";
import type { VisitText } from "../text";
import { InterpreterRequest } from "./InterpreterRequest";
import type { StageView } from "./layout";
import { LevelBar } from "./Media";
import type { PictureInPicture } from "./usePictureInPicture";

/** Everything in the call that is not needed at each moment. */
export function More({
  session,
  view,
  text,
  open,
  stage,
  onStage,
  floating,
  onKeys,
  onClose,
}: {
  session: VisitSession;
  view: VisitView;
  text: VisitText;
  open: boolean;
  stage: StageView;
  onStage: (stage: StageView) => void;
  floating: PictureInPicture;
  onKeys: () => void;
  onClose: () => void;
}) {
  const { visit, local } = view;
  const decides = visit?.you.role === "patient" || visit?.you.role === "practitioner";
  return (
    <Dialog title={text("call.more")} open={open} onClose={onClose}>
      {open && visit && (
        <div className="v-more" data-testid="more">
          {visit.participants.length > 2 && (
            <Choices
              label={text("call.view")}
              options={[
                { id: "grid", label: text("call.view.grid") },
                { id: "speaker", label: text("call.view.speaker") },
              ]}
              value={stage}
              onChange={onStage}
            />
          )}
          <Devices session={session} view={view} text={text} />
          {local.camera && canBlur() && (
            <div>
              <Checkbox
                isSelected={local.blur === "starting" || local.blur === "on"}
                onChange={(wanted) => void session.setBlurred(wanted)}
              >
                {text("call.blur")}
              </Checkbox>
              {local.blur !== "off" && (
                <p className={local.blur === "failed" ? "v-problem" : "v-soft"} role="status">
                  {text(`call.blur.${local.blur}`)}
                </p>
              )}
            </div>
          )}
          {decides && <InterpreterRequest session={session} visit={visit} text={text} />}
          {decides && visit.mode !== "chat" && visit.mode !== "phone" && (
            <Button
              variant="link"
              onPress={() => {
                void session.chooseMode("phone").catch(() => undefined);
                onClose();
              }}
            >
              {text("call.mode.byPhone")}
            </Button>
          )}
          <div className="v-actions v-actions-start">
            {floating.supported && (
              <Button
                variant="secondary"
                onPress={() => {
                  onClose();
                  void floating.toggle().catch(() => undefined);
                }}
              >
                {text(floating.open ? "call.pipClose" : "call.pip")}
              </Button>
            )}
            {window.matchMedia("(any-pointer: fine)").matches && (
              <Button variant="quiet" onPress={onKeys}>
                {text("call.shortcuts")}
              </Button>
            )}
          </div>
          <div className="v-actions">
            <Button onPress={onClose}>{text("visit.close")}</Button>
          </div>
        </div>
      )}
    </Dialog>
  );
}

/** Pickers that follow what is plugged in and out while they are open. */
function Devices({ session, view, text }: { session: VisitSession; view: VisitView; text: VisitText }) {
  const [lists, setLists] = useState<DeviceLists | null>(null);
  const { local } = view;
  useEffect(() => {
    let gone = false;
    const read = () =>
      void listDevices().then((found) => {
        if (!gone) setLists(found);
      });
    read();
    const unlisten = onDeviceChange(read);
    return () => {
      gone = true;
      unlisten();
    };
  }, [local.camera, local.microphone]);
  if (lists === null) return null;
  const options = (devices: MediaDeviceInfo[]) =>
    devices.map(({ deviceId, label }) => ({
      value: deviceId,
      label: label || text("check.speakerDefault"),
    }));
  const problem = (kind: "camera" | "microphone") => {
    const found = kind === "camera" ? local.cameraProblem : local.microphoneProblem;
    return found && <p className="v-problem">{text(`check.problem.${kind}.${found}`)}</p>;
  };
  return (
    <div className="v-devices">
      {problem("camera")}
      {lists.cameras.length > 0 && (
        <Select
          label={text("check.camera")}
          value={local.camera?.getSettings().deviceId ?? ""}
          options={options(lists.cameras)}
          onChange={(id) => void session.chooseDevice("camera", id)}
        />
      )}
      {problem("microphone")}
      {lists.microphones.length > 0 && (
        <Select
          label={text("check.microphone")}
          value={local.microphone?.getSettings().deviceId ?? ""}
          options={options(lists.microphones)}
          onChange={(id) => void session.chooseDevice("microphone", id)}
        />
      )}
      <LevelBar track={local.microphone} label={text("check.level")} />
      {lists.speakers.length > 0 && (
        <Select
          label={text("check.speaker")}
          value={local.speaker ?? lists.speakers[0]?.deviceId ?? ""}
          options={options(lists.speakers)}
          onChange={(id) => session.chooseSpeaker(id)}
        />
      )}
    </div>
  );
}
