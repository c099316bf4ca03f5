// Watches what arrives, ten times a second: sums over all connections made after `start`, whichever of them ends.
window.network = {
  samples: [],
  from: 0,
  last: {},
  sums: {},
  start() {
    this.from = window.keptConnections.length;
    this.samples = [];
    this.last = {};
    this.sums = { frames: 0, frozen: 0, packets: 0, concealed: 0, played: 0, bytes: 0 };
    if (!this.running) {
      this.running = true;
      void this.watch();
    }
  },
  add(key, name, value) {
    const grown = (value ?? 0) - (this.last[key + name] ?? 0);
    this.last[key + name] = value ?? 0;
    if (grown > 0) this.sums[name] += grown;
  },
  async look() {
    let height = 0;
    for (const [index, connection] of window.keptConnections.entries()) {
      if (index < this.from || connection.connectionState === "closed") continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        const key = `${index}/${entry.id}/`;
        if (entry.kind === "video") {
          this.add(key, "frames", entry.framesDecoded);
          this.add(key, "frozen", entry.totalFreezesDuration);
          height = Math.max(height, entry.frameHeight ?? 0);
        } else {
          this.add(key, "packets", entry.packetsReceived);
          this.add(key, "concealed", entry.concealedSamples);
          this.add(key, "played", entry.totalSamplesReceived);
        }
        this.add(key, "bytes", entry.bytesReceived);
      }
    }
    this.samples.push({ at: Date.now() / 1000, height, ...this.sums });
  },
  async watch() {
    for (;;) {
      await this.look().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
  async ways() {
    const found = [];
    for (const [index, connection] of window.keptConnections.entries()) {
      if (index < this.from || connection.connectionState !== "connected") continue;
      const stats = await connection.getStats();
      for (const entry of stats.values()) {
        const chosen = entry.type === "transport" ? stats.get(entry.selectedCandidatePairId)
          : entry.type === "candidate-pair" && entry.selected ? entry : null;
        const local = chosen && stats.get(chosen.localCandidateId);
        const remote = chosen && stats.get(chosen.remoteCandidateId);
        if (local && remote) found.push({ way: local.candidateType === "relay" ? "relay" : local.protocol,
          relay: local.relayProtocol ?? "", port: remote.port });
      }
    }
    return found;
  },
};
