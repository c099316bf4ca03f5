/**
 * One person's visit, whole: connection, state, media and devices behind one observable view.
 * Pages read the view and call the verbs; nothing here knows React.
 */
import type { Blurred } from "./blur";
import {
  onDeviceChange,
  openOne,
  openScreen,
  rememberChoice,
  rememberedChoice,
  stopTracks,
  type Capture,
  type DeviceProblem,
} from "./devices";
import type { LinkState, SignalingError } from "./link";
import { VisitMedia } from "./media";
import type { Audience, LiveChatMessage, MediaOffer, ServerEvent, Snapshot, VisitToken } from "./protocol";
import { rememberedOff, rememberOff } from "./off";
import type { PathState } from "./publisher";
import { SMALL_PICTURE } from "./shown";
import { VisitSignaling } from "./signaling";
import { reduceVisit, type VisitAction, type VisitState } from "./state";
import type { RemoteTracks } from "./subscriber";

/** A device that was in use went away, and what is used instead: nothing when null. */
export interface DeviceLoss {
  kind: "camera" | "microphone";
  lost: string;
  now: string | null;
}

export interface LocalMedia {
  camera: MediaStreamTrack | null;
  /** The camera's picture with the room blurred, which others get instead of the camera's. */
  picture: MediaStreamTrack | null;
  blur: "off" | "starting" | "on" | "failed";
  deviceLoss: DeviceLoss | null;
  microphone: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  cameraProblem: DeviceProblem | null;
  microphoneProblem: DeviceProblem | null;
  cameraOff: boolean;
  /** The connection carries no pictures now; see `followMode`. */
  cameraResting: boolean;
  muted: boolean;
  speaker: string | null;
}

export interface VisitView {
  connection: LinkState;
  /** Why the connection is closed for good, when it is. */
  failure: SignalingError | null;
  seatTaken: boolean;
  visit: VisitState | null;
  tracks: RemoteTracks;
  local: LocalMedia;
  /** `interrupted` while either media path looks for a way. */
  path: PathState;
  hand: boolean;
  joining: boolean;
  /** Media runs on this page: in the call, and not only in the server's memory of it. */
  live: boolean;
  online: boolean;
}

const NO_MEDIA: LocalMedia = {
  camera: null,
  picture: null,
  blur: "off",
  deviceLoss: null,
  microphone: null,
  screen: null,
  cameraProblem: null,
  microphoneProblem: null,
  cameraOff: false,
  cameraResting: false,
  muted: false,
  speaker: null,
};

/** A message is tried again over an outage of this length before it is shown as not sent. */
const CHAT_RETRY_MS = 45_000;
const JOIN_RETRY_MS = 20_000;

export class VisitSession {
  private view: VisitView;
  private readonly listeners = new Set<() => void>();
  private readonly signaling: VisitSignaling;
  private readonly unlisten: (() => void)[] = [];
  private media: VisitMedia | null = null;
  private paths: Record<"publish" | "subscribe", PathState> = { publish: "idle", subscribe: "idle" };
  /** Offers that overtook the answer to `call.join`: the first one usually does. */
  private early: MediaOffer[] = [];
  /** True from pressing "join" until leaving: a session built anew goes back into the call. */
  private inCall = false;
  private blurred: Blurred | null = null;

  constructor(
    readonly appointmentId: string,
    fetchToken: () => Promise<VisitToken>,
  ) {
    this.view = {
      connection: "connecting",
      failure: null,
      seatTaken: false,
      visit: null,
      tracks: {},
      local: { ...NO_MEDIA, speaker: rememberedChoice().speaker ?? null, ...rememberedOff(appointmentId) },
      path: "idle",
      hand: false,
      joining: false,
      live: false,
      online: navigator.onLine,
    };
    this.signaling = new VisitSignaling(appointmentId, fetchToken, {
      onReady: ({ snapshot }, { seatTaken, fresh }) => {
        this.takeSnapshot(snapshot, seatTaken);
        this.update({ seatTaken });
        if (fresh && this.inCall && !seatTaken) void this.join().catch(() => undefined);
      },
      onSnapshot: (snapshot) => this.takeSnapshot(snapshot, false),
      onEvent: (event) => this.handle(event),
      onConnection: (connection, failure) => {
        this.update({ connection, failure });
        if (connection === "ready") this.media?.reconnected();
      },
    });
    const onlineChanged = () => this.update({ online: navigator.onLine });
    window.addEventListener("online", onlineChanged);
    window.addEventListener("offline", onlineChanged);
    this.unlisten.push(
      () => window.removeEventListener("online", onlineChanged),
      () => window.removeEventListener("offline", onlineChanged),
      onDeviceChange(() => void this.replaceLostDevices()),
    );
  }

  readonly getView = (): VisitView => this.view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    this.signaling.connect();
  }

  /** Ends what runs on this page. The seat stays: coming back to the page resumes it. */
  close(): void {
    for (const unlisten of this.unlisten.splice(0)) unlisten();
    this.closeMedia();
    this.signaling.close();
    const { camera, microphone, screen } = this.view.local;
    this.endBlur();
    stopTracks(camera, microphone, screen);
    this.listeners.clear();
  }

  // Waiting room

  async enterWaiting(): Promise<void> {
    const place = await this.signaling.call("waiting.enter", {}, { retryForMs: JOIN_RETRY_MS });
    this.dispatch({ type: "waiting.entered", place });
  }

  async leaveWaiting(): Promise<void> {
    await this.signaling.call("waiting.leave", {});
    this.dispatch({ type: "waiting.left" });
  }

  async takeOver(): Promise<void> {
    await this.signaling.call("seat.take_over", {});
    this.update({ seatTaken: false });
  }

  // Call

  async join(): Promise<void> {
    if (this.view.joining) return;
    this.update({ joining: true });
    this.media?.close();
    this.media = null;
    this.early = [];
    try {
      const answer = await this.signaling.call("call.join", {}, { retryForMs: JOIN_RETRY_MS });
      this.inCall = true;
      this.dispatch({
        type: "call.joined",
        participants: answer.participants,
        generation: answer.generation,
      });
      const media = new VisitMedia(this.signaling, {
        onTracks: (tracks) => this.update({ tracks }),
        onPath: (connection, state) => this.pathChanged(connection, state),
      });
      this.media = media;
      this.followMode();
      this.update({ live: true });
      this.publishAll();
      media.start(answer.generation, {
        iceServers: answer.ice_servers,
        iceTransportPolicy: answer.ice_transport_policy,
      });
      for (const offer of this.early.splice(0)) media.offer(offer);
    } finally {
      this.update({ joining: false });
    }
  }

  async leave(): Promise<void> {
    this.inCall = false;
    this.closeMedia();
    this.dispatch({ type: "call.left" });
    await this.signaling.call("call.leave", {});
  }

  /** The practitioner ends the call for everybody. Completing the visit is another act. */
  async end(): Promise<void> {
    await this.signaling.call("call.end", {}, { retryForMs: JOIN_RETRY_MS });
    this.inCall = false;
    this.closeMedia();
  }

  async raiseHand(raised: boolean): Promise<void> {
    this.update({ hand: raised });
    this.dispatch({ type: "hand", raised });
    await this.signaling.call("call.hand", { raised });
  }

  /** The practitioner keeps somebody large for everybody: a sign-language interpreter above all. */
  async pinForAll(participantId: string | null): Promise<void> {
    const before = this.view.visit?.pinned ?? null;
    this.dispatch({ type: "event", event: { name: "call.pinned", payload: { participant_id: participantId } } });
    try {
      await this.signaling.call("call.pin", { participant_id: participantId });
    } catch (error) {
      this.dispatch({ type: "event", event: { name: "call.pinned", payload: { participant_id: before } } });
      throw error;
    }
  }

  /** Agrees to be called by phone, goes on in writing, or lets the connection decide again. */
  async chooseMode(mode: "phone" | "chat" | "auto"): Promise<void> {
    await this.signaling.call("call.mode", { mode });
  }

  async requestInterpreter(language: string): Promise<void> {
    await this.signaling.call("interpreter.request", { language });
  }

  async cancelInterpreter(): Promise<void> {
    await this.signaling.call("interpreter.cancel", {});
  }

  // Devices

  /** Takes over what the device check opened. The session closes the tracks from now on. */
  useDevices(capture: Capture): void {
    const { camera, microphone } = this.view.local;
    if (camera !== capture.camera) stopTracks(camera);
    if (microphone !== capture.microphone) stopTracks(microphone);
    const { muted, cameraOff } = this.view.local;
    if (capture.microphone) capture.microphone.enabled = !muted;
    if (capture.camera) capture.camera.enabled = !cameraOff;
    this.updateLocal(capture);
    if (rememberedChoice().blur && camera !== capture.camera) void this.setBlurred(true);
    else this.publishAll();
  }

  setMuted(muted: boolean): void {
    this.updateLocal({ muted });
    rememberOff(this.appointmentId, this.view.local);
    const { microphone } = this.view.local;
    if (microphone) microphone.enabled = !muted;
    this.media?.mute("microphone", muted, microphone);
  }

  setCameraOff(cameraOff: boolean): void {
    this.updateLocal({ cameraOff });
    rememberOff(this.appointmentId, this.view.local);
    this.applyCamera();
  }

  /** Blurs the room, or shows it again. While the model loads nothing of the room is sent. */
  async setBlurred(wanted: boolean): Promise<void> {
    rememberChoice({ blur: wanted });
    this.endBlur();
    const { camera } = this.view.local;
    if (!wanted || !camera) {
      this.updateLocal({ blur: "off" });
      this.publishAll();
      return;
    }
    this.updateLocal({ blur: "starting" });
    this.media?.remove("camera");
    this.publishAll();
    try {
      const { blur } = await import("./blur");
      const made = await blur(camera);
      if (this.view.local.camera !== camera || this.view.local.blur !== "starting") {
        made.stop();
        return;
      }
      this.blurred = made;
      this.updateLocal({ picture: made.track, blur: "on" });
    } catch {
      if (this.view.local.camera !== camera) return;
      // Whoever asked for blur and can't have it decides anew about the camera.
      rememberChoice({ blur: false });
      this.updateLocal({ blur: "failed", cameraOff: true });
      camera.enabled = false;
    }
    this.publishAll();
  }

  /** Opens another camera or microphone and puts it in place; the call does not notice. */
  async chooseDevice(kind: "camera" | "microphone", deviceId: string): Promise<void> {
    rememberChoice({ [kind]: deviceId });
    await this.reopen(kind, deviceId);
  }

  chooseSpeaker(speaker: string): void {
    rememberChoice({ speaker });
    this.updateLocal({ speaker });
  }

  async shareScreen(): Promise<void> {
    const screen = await openScreen();
    if (!screen) return;
    screen.addEventListener("ended", () => this.stopScreen());
    this.updateLocal({ screen });
    await this.media?.set("screen", screen);
  }

  /** The person has read that a device went away. */
  forgetLoss(): void {
    this.updateLocal({ deviceLoss: null });
  }

  /** A place on the page shows a track this many device pixels high; 0: nobody can see it there. */
  shown(place: string, trackId: string, pixels: number): void {
    this.media?.shown.set(place, trackId, pixels);
  }

  stopScreen(): void {
    const { screen } = this.view.local;
    if (!screen) return;
    stopTracks(screen);
    this.updateLocal({ screen: null });
    this.media?.remove("screen");
  }

  // Chat

  async sendChat(
    text: string | null,
    audience: Audience,
    file: LiveChatMessage["file"] = null,
    clientId: string = crypto.randomUUID(),
  ): Promise<void> {
    this.dispatch({
      type: "chat.sending",
      message: { client_id: clientId, text, file, audience, state: "sending" },
    });
    try {
      const { message_id, sent_at } = await this.signaling.call(
        "chat.send",
        {
          client_id: clientId,
          audience,
          ...(text !== null && { text }),
          ...(file && { file_id: file.file_id }),
        },
        { retryForMs: CHAT_RETRY_MS },
      );
      const you = this.view.visit?.you;
      if (!you) return;
      this.dispatch({
        type: "chat.sent",
        message: {
          message_id,
          client_id: clientId,
          participant_id: you.participant_id,
          name: you.name,
          role: you.role,
          audience,
          text,
          file,
          sent_at,
          edited_at: null,
        },
      });
    } catch {
      this.dispatch({ type: "chat.failed", clientId });
    }
  }

  /** Sends a failed message again under the same id, so that it can never arrive twice. */
  retryChat(clientId: string): void {
    const message = this.view.visit?.pending.find((other) => other.client_id === clientId);
    if (message) void this.sendChat(message.text, message.audience, message.file, clientId);
  }

  discardChat(clientId: string): void {
    this.dispatch({ type: "chat.discarded", clientId });
  }

  readChat(): void {
    const { visit } = this.view;
    const newest = visit?.messages.at(-1);
    if (!visit || visit.unread === 0 || !newest) return;
    this.dispatch({ type: "chat.read" });
    void this.signaling
      .call("chat.read", { message_id: newest.message_id })
      .catch(() => undefined);
  }

  async loadHistory(): Promise<void> {
    const oldest = this.view.visit?.messages[0];
    const { messages, more } = await this.signaling.call(
      "chat.history",
      oldest ? { before: oldest.message_id } : {},
    );
    this.dispatch({ type: "chat.history", messages, more });
  }

  private takeSnapshot(snapshot: Snapshot, seatTaken: boolean): void {
    if (this.view.visit === null) {
      // A page that was reloaded takes its own hand from what the others see.
      const own = snapshot.participants.find(({ participant_id }) => participant_id === snapshot.you.participant_id);
      this.update({ hand: own?.hand ?? false });
    }
    this.dispatch({ type: "snapshot", snapshot });
    this.followMode();
    const newest = snapshot.last_messages.at(-1);
    if (newest && !seatTaken) this.tellDelivered(newest);
  }

  /**
   * From "low" on pictures come small; below it cameras rest. The person's own wish for their camera stays, and
   * counts again later.
   */
  private followMode(): void {
    const mode = this.view.visit?.mode ?? "high";
    this.media?.shown.limit(mode === "high" ? null : SMALL_PICTURE);
    const resting = mode === "audio" || mode === "phone" || mode === "chat";
    if (resting === this.view.local.cameraResting) return;
    this.updateLocal({ cameraResting: resting });
    this.applyCamera();
  }

  private applyCamera(): void {
    const { camera, picture, cameraOff, cameraResting } = this.view.local;
    const off = cameraOff || cameraResting;
    if (camera) camera.enabled = !off;
    this.media?.mute("camera", off, picture ?? camera);
  }

  /** Says that what others wrote has come this far. Repeated by the next message when lost. */
  private tellDelivered(message: LiveChatMessage): void {
    if (message.participant_id === this.view.visit?.you.participant_id) return;
    void this.signaling.call("chat.delivered", { message_id: message.message_id }).catch(() => undefined);
  }

  private handle(event: ServerEvent): void {
    this.dispatch({ type: "event", event });
    if (event.name === "call.mode") this.followMode();
    if (event.name === "chat.message") this.tellDelivered(event.payload.message);
    switch (event.name) {
      case "media.offer":
        if (this.media) this.media.offer(event.payload);
        else if (this.view.joining) this.early.push(event.payload);
        break;
      case "media.reset":
        this.early = [];
        this.media?.reset(event.payload);
        break;
      case "media.wanted":
        this.media?.wanted(event.payload.generation, event.payload.tracks);
        break;
      case "call.held":
      case "call.removed":
      case "call.ended":
      case "call.displaced":
        this.inCall = false;
        this.closeMedia();
        break;
      default:
        break;
    }
    if (event.name === "call.removed" || event.name === "call.displaced") {
      this.signaling.forget();
      this.signaling.close();
    }
  }

  private publishAll(): void {
    if (!this.media) return;
    const { microphone, screen, cameraOff, cameraResting, muted } = this.view.local;
    const camera = this.outgoing();
    // The order is the order of the m-lines: the voice first, it matters most.
    if (microphone) {
      void this.media.set("microphone", microphone);
      if (muted) this.media.mute("microphone", true, microphone);
    }
    if (camera) {
      void this.media.set("camera", camera);
      if (cameraOff || cameraResting) this.media.mute("camera", true, camera);
    }
    if (screen) void this.media.set("screen", screen);
  }

  private async reopen(kind: "camera" | "microphone", deviceId?: string): Promise<void> {
    const { local } = this.view;
    const before = local[kind];
    // Some cameras, phones above all, open only after the other one is closed.
    if (kind === "camera") stopTracks(before);
    const { track, problem } = await openOne(kind, deviceId);
    if (track) {
      if (kind === "microphone") stopTracks(before);
      track.enabled = kind === "camera" ? !(local.cameraOff || local.cameraResting) : !local.muted;
    }
    this.updateLocal(
      kind === "camera"
        ? { camera: track, cameraProblem: problem }
        : { microphone: track ?? before, microphoneProblem: track ? null : problem },
    );
    if (kind === "camera" && track && local.blur !== "off" && local.blur !== "failed") {
      await this.setBlurred(true);
      return;
    }
    if (track) await this.media?.set(kind, track);
    else if (kind === "camera") {
      this.endBlur();
      this.media?.remove("camera");
    }
  }

  /** What others may see of the camera now: nothing while a blur is being made. */
  private outgoing(): MediaStreamTrack | null {
    const { camera, picture, blur } = this.view.local;
    return blur === "starting" ? null : (picture ?? camera);
  }

  private endBlur(): void {
    this.blurred?.stop();
    this.blurred = null;
    if (this.view.local.picture) this.updateLocal({ picture: null });
  }

  /** A headset pulled out in mid-sentence: go on with what is there, and say so. */
  private async replaceLostDevices(): Promise<void> {
    for (const kind of ["microphone", "camera"] as const) {
      const lost = this.view.local[kind];
      if (lost?.readyState !== "ended") continue;
      await this.reopen(kind);
      const now = this.view.local[kind];
      const replaced = now?.readyState === "live";
      this.updateLocal({ deviceLoss: { kind, lost: lost.label, now: replaced ? now.label : null } });
    }
  }

  private pathChanged(connection: "publish" | "subscribe", state: PathState): void {
    this.paths = { ...this.paths, [connection]: state };
    const { publish, subscribe } = this.paths;
    const order: PathState[] = ["interrupted", "connecting", "connected"];
    const path = order.find((one) => publish === one || subscribe === one) ?? "idle";
    this.update({ path });
  }

  private closeMedia(): void {
    this.media?.close();
    this.media = null;
    this.paths = { publish: "idle", subscribe: "idle" };
    this.stopScreen();
    this.update({ tracks: {}, path: "idle", hand: false, live: false });
  }

  private dispatch(action: VisitAction): void {
    this.update({ visit: reduceVisit(this.view.visit, action) });
  }

  private updateLocal(change: Partial<LocalMedia>): void {
    this.update({ local: { ...this.view.local, ...change } });
  }

  private update(change: Partial<VisitView>): void {
    this.view = { ...this.view, ...change };
    for (const listener of this.listeners) listener();
  }
}

