/**
 * Staying on what is there: while a video is still being made, Auto chooses among the rungs that
 * need no waiting. Those are all up to where the making has come; beyond that the source's own rung,
 * which is only copied, and the lowest, which is made fastest.
 */
import type shaka from "shaka-player/dist/shaka-player.hls-es2021.js";
import { isCopied } from "./start";

type Variant = shaka.extern.Variant;

export const isCopy = (variant: Variant): boolean => isCopied(variant.video?.originalId ?? "");

export function cheap(variants: Variant[]): Variant[] {
  const made = variants.filter((variant) => variant.video && !isCopy(variant));
  const lowest = Math.min(...made.map((variant) => variant.video?.height ?? 0));
  const kept = variants.filter((variant) => isCopy(variant) || variant.video?.height === lowest);
  return kept.length ? kept : variants;
}

/**
 * Return a factory of Shaka's own choice of quality, asked only about variants that are warm. The
 * first choice is `first`, where that is known: its first bytes are on their way.
 */
export function warmFirst(
  library: typeof shaka,
  isWarm: () => boolean,
  first: () => string | null,
): () => shaka.extern.AbrManager {
  class WarmFirst extends library.abr.SimpleAbrManager {
    private all: Variant[] = [];
    private lowLatency = false;
    private chosen = false;

    override setVariants(variants: Variant[], lowLatency: boolean): boolean {
      this.all = variants;
      this.lowLatency = lowLatency;
      return super.setVariants(this.known(), lowLatency) as boolean;
    }

    override chooseVariant(fast?: boolean): Variant {
      super.setVariants(this.known(), this.lowLatency);
      const own = super.chooseVariant(fast);
      const started = this.chosen ? undefined : this.all.find(({ video }) => video?.originalId === first());
      this.chosen = true;
      return started ?? own;
    }

    private known(): Variant[] {
      return isWarm() ? this.all : cheap(this.all);
    }
  }
  return () => new WarmFirst();
}
