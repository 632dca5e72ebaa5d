/** When the controls show, and when they fade: after a while without a hand on them. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

const FADE_MS = 2000;
const LEAVE_MS = 300;

export class Fading implements ReactiveController {
  shown = true;
  private timer = 0;

  /** While `keep` says so, the controls stay. */
  constructor(
    private readonly host: ReactiveControllerHost & EventTarget,
    private readonly keep: () => boolean,
  ) {
    host.addController(this);
    for (const name of ["pointermove", "pointerdown", "focusin"]) host.addEventListener(name, () => this.wake());
    host.addEventListener("pointerleave", () => this.fade(LEAVE_MS));
  }

  hostDisconnected(): void {
    clearTimeout(this.timer);
  }

  wake(): void {
    this.show(true);
    this.fade(FADE_MS);
  }

  private fade(after_ms: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.show(this.keep()), after_ms);
  }

  private show(shown: boolean): void {
    if (shown === this.shown) return;
    this.shown = shown;
    this.host.requestUpdate();
  }
}
