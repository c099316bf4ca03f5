import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SignalingError } from "./link";
import { Publisher } from "./publisher";

/** What the publisher asks of a browser's connection; there is none where these tests run. */
class Connection {
  static made: Connection[] = [];
  connectionState: RTCPeerConnectionState = "new";
  onconnectionstatechange: (() => void) | null = null;
  localDescription: { sdp: string } | null = null;
  restarts = 0;
  offers = 0;

  constructor() {
    Connection.made.push(this);
  }

  addTransceiver(track: MediaStreamTrack) {
    return { mid: "0", direction: "sendonly", sender: { track } };
  }

  restartIce() {
    this.restarts += 1;
  }

  createOffer() {
    this.offers += 1;
    return Promise.resolve({ type: "offer", sdp: `offer ${this.offers}` });
  }

  setLocalDescription(description: { sdp: string }) {
    this.localDescription = description;
    return Promise.resolve();
  }

  setRemoteDescription() {
    return Promise.resolve();
  }

  close() {}

  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

describe("Publisher", () => {
  let waiting: { sdp: string; answer: () => void; refuse: (error: Error) => void }[];
  let publisher: Publisher;

  beforeEach(async () => {
    vi.useFakeTimers();
    vi.stubGlobal("window", globalThis);
    vi.stubGlobal("RTCPeerConnection", Connection);
    Connection.made = [];
    waiting = [];
    publisher = new Publisher({
      ways: () => ({ iceServers: [], iceTransportPolicy: "all" }),
      publish: ({ sdp }) =>
        new Promise((resolve, refuse) => {
          waiting.push({ sdp, answer: () => resolve({ sdp: "answer" }), refuse });
        }),
      changed: () => undefined,
    });
    publisher.start(1);
    await publisher.set("microphone", { kind: "audio" } as MediaStreamTrack);
    await answerNext();
  });

  afterEach(() => {
    publisher.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

  async function answerNext(): Promise<void> {
    await pass();
    waiting.shift()?.answer();
    await pass();
  }

  const connection = () => Connection.made.at(-1) as Connection;

  it("asks once for a new path, however long nobody hears it", async () => {
    connection().become("connected");
    connection().become("disconnected");
    await pass(20_000);
    expect(connection().restarts).toBe(1);
    expect(waiting).toHaveLength(1);
    publisher.returned();
    await answerNext();
    expect(connection().restarts).toBe(1);
    expect(waiting).toHaveLength(0);
  });

  it("asks again when the path it was given does not stand either", async () => {
    connection().become("disconnected");
    await answerNext();
    await pass(5_000);
    expect(connection().restarts).toBe(2);
    await answerNext();
    connection().become("connected");
    await pass(20_000);
    expect(connection().restarts).toBe(2);
  });

  it("leaves a path alone that came back by itself", async () => {
    connection().become("connected");
    publisher.returned();
    await pass(1_000);
    expect(connection().restarts).toBe(0);
  });

  it("begins anew at once where the device has other addresses", async () => {
    connection().become("disconnected");
    await pass();
    publisher.restart(true);
    expect(connection().restarts).toBe(2);
    await answerNext();
    expect(waiting.map(({ sdp }) => sdp)).toEqual(["offer 3"]);
  });

  it("goes on looking after a refusal", async () => {
    connection().become("disconnected");
    await pass();
    waiting.shift()?.refuse(new SignalingError("invalid_sdp", "no"));
    await pass(5_000);
    expect(connection().restarts).toBe(2);
  });
});
