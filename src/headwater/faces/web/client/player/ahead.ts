/**
 * Fetching ahead of the engine: while the browser still reads its code, what it will ask for first is
 * on its way. The master playlist says what that is: one rung, the sound beside it, their first bytes.
 */
import { MOST_BPS, UNKNOWN_BPS, lineBps, lineOnceKnown } from "./line";
import { type Sized, type Wish, startRung } from "./start";

/** A body that came, and how long it travelled once the server had begun to answer. */
export interface Fetched {
  body: ArrayBuffer;
  headers: Record<string, string>;
  travelled_ms: number;
}

export class Ahead {
  private readonly coming = new Map<string, Promise<Fetched | null>>();
  /** The playlist of the rung to start with, as the master names it; null while that is not known. */
  first: string | null = null;
  /** Ends when `first` is known, or will not be. */
  decided: Promise<void> = Promise.resolve();

  /** Ask for the master playlist at `address`, then for what `wish` needs of it. */
  start(address: string, wish: Wish): void {
    this.decided = this.fetch(address).then(async (master) => {
      if (master) await this.follow(new TextDecoder().decode(master.body), address, wish);
    });
  }

  /** Hand over what is coming from `address`, once: whoever asks again asks the server. */
  take(address: string): Promise<Fetched | null> | undefined {
    const coming = this.coming.get(address);
    this.coming.delete(address);
    return coming;
  }

  private async follow(master: string, address: string, wish: Wish): Promise<void> {
    const rung = await rungFor(rungsOf(master), wish);
    if (!rung) return;
    this.first = rung.address;
    for (const playlist of [rung.address, soundOf(master)]) {
      if (playlist === null) continue;
      const base = new URL(playlist, address);
      void this.fetch(base.href);
      void this.fetch(new URL("init.mp4", base).href);
      if (!wish.start_s) void this.fetch(new URL("0.m4s", base).href);
    }
  }

  private fetch(address: string): Promise<Fetched | null> {
    const coming = fetched(address).catch(() => null); // the engine asks itself, and knows what to say
    this.coming.set(address, coming);
    return coming;
  }
}

/** The rung to start with. Where that depends on the line, it is waited for until something is known of it. */
async function rungFor(rungs: Sized[], wish: Wish): Promise<Sized | null> {
  const known = lineBps();
  const carefully = startRung(rungs, wish, known ?? UNKNOWN_BPS);
  const isSure = known !== null || carefully === startRung(rungs, wish, MOST_BPS);
  return isSure ? carefully : startRung(rungs, wish, await lineOnceKnown());
}

async function fetched(address: string): Promise<Fetched | null> {
  const response = await fetch(address, { headers: { prefer: "respond-async" } });
  const answered = performance.now();
  if (response.status !== 200) return null;
  const body = await response.arrayBuffer();
  return { body, headers: Object.fromEntries(response.headers), travelled_ms: performance.now() - answered };
}

function rungsOf(master: string): Sized[] {
  const variants = master.matchAll(/^#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d+).*RESOLUTION=\d+x(\d+).*\n(.+)$/gm);
  return Array.from(variants, ([, bandwidth, height, address]) => ({
    bandwidth: Number(bandwidth),
    height: Number(height),
    address: address!,
  }));
}

function soundOf(master: string): string | null {
  return master.match(/^#EXT-X-MEDIA:TYPE=AUDIO.*DEFAULT=YES.*URI="([^"]+)"/m)?.[1] ?? null;
}
