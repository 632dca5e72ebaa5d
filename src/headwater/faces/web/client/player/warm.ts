/** Auto stays on what needs no waiting, see making.ts: Shaka's own choice, asked only about that. */
import type shaka from "shaka-player/dist/shaka-player.hls-es2021.js";
import { type Making, flowing } from "./making";

type Variant = shaka.extern.Variant;

/** What is fetched next: when it is played, what is known of the making, and what is on its way. */
export interface Next {
  until_s(): number;
  making(): Making;
  /** The rung to begin with, whose first bytes are on their way; null once some of it has come. */
  first(): string | null;
}

const nameOf = ({ video }: Variant): string => video?.originalId ?? "";

/** Return a factory of Shaka's own choice of quality, which begins with `next.first()`. */
export function warmFirst(library: typeof shaka, next: Next): () => shaka.extern.AbrManager {
  class WarmFirst extends library.abr.SimpleAbrManager {
    private all: Variant[] = [];
    private lowLatency = false;

    override setVariants(variants: Variant[], lowLatency: boolean): boolean {
      this.all = variants;
      this.lowLatency = lowLatency;
      return super.setVariants(this.known(), lowLatency) as boolean;
    }

    override chooseVariant(fast?: boolean): Variant {
      super.setVariants(this.known(), this.lowLatency);
      const own = super.chooseVariant(fast);
      const first = next.first();
      return this.all.find((variant) => nameOf(variant) === first) ?? own;
    }

    private known(): Variant[] {
      const pictured = this.all.filter(({ video }) => video);
      const rungs = pictured.map((variant) => ({ variant, bandwidth: variant.bandwidth, address: nameOf(variant) }));
      const found = flowing(rungs, next.making(), next.until_s(), this.getBandwidthEstimate());
      return found.length ? found.map(({ variant }) => variant) : this.all;
    }
  }
  return () => new WarmFirst();
}
