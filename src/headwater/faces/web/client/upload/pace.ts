/** How fast bytes leave, smoothed so that the number can be read, and how long the rest takes. */
const HALF_LIFE_S = 4;
const SETTLED_S = 2; // before that an estimate says more about luck than about the line

export class Pace {
  private bytesPerSecond = 0;
  private weight = 0;
  private lastAt = 0;
  private lastSent = 0;
  private since = 0;

  /** Start over from `sent`: after a pause the time between says nothing. */
  restart(sent: number, now_ms: number): void {
    this.lastAt = now_ms;
    this.lastSent = sent;
    this.since = now_ms;
    this.bytesPerSecond = 0;
    this.weight = 0;
  }

  add(sent: number, now_ms: number): void {
    const seconds = (now_ms - this.lastAt) / 1000;
    if (seconds < 0.25) return;
    const keep = 0.5 ** (seconds / HALF_LIFE_S);
    const rate = Math.max(0, sent - this.lastSent) / seconds;
    this.bytesPerSecond = this.bytesPerSecond * keep + rate * (1 - keep);
    this.weight = this.weight * keep + (1 - keep);
    this.lastAt = now_ms;
    this.lastSent = sent;
  }

  get speed(): number {
    return this.weight ? this.bytesPerSecond / this.weight : 0;
  }

  /** Seconds for `bytes` more, null while nobody can know. */
  left(bytes: number): number | null {
    if (this.speed <= 0 || (this.lastAt - this.since) / 1000 < SETTLED_S) return null;
    return bytes / this.speed;
  }
}
