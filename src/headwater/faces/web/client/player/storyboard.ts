/** Small pictures along the video: WebVTT cues that name a rectangle of a sheet (`#xywh=`). */

export interface Tile {
  start: number;
  end: number;
  address: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const TIMING = /^((?:\d+:)?\d+:\d+\.\d+)\s+-->\s+((?:\d+:)?\d+:\d+\.\d+)/;

function seconds(text: string): number {
  return text.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}

export function parseStoryboard(text: string, base: string): Tile[] {
  const tiles: Tile[] = [];
  for (const block of text.replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => TIMING.test(line));
    const payload = lines[at + 1];
    if (at < 0 || !payload) continue;
    const [, start, end] = lines[at]!.match(TIMING)!;
    const address = new URL(payload.trim(), base);
    const [x = 0, y = 0, width = 0, height = 0] = (address.hash.match(/xywh=([\d,]+)/)?.[1] ?? "").split(",").map(Number);
    address.hash = "";
    tiles.push({ start: seconds(start!), end: seconds(end!), address: address.href, x, y, width, height });
  }
  return tiles;
}

const kept = new Map<string, Promise<Tile[]>>();

/** Fetch and keep the storyboard at `address`; one that is not there is empty, and asked for again later. */
export function storyboard(address: string): Promise<Tile[]> {
  const base = new URL(address, location.href).href;
  let tiles = kept.get(base);
  if (!tiles) {
    tiles = fetch(base)
      .then(async (response) => (response.ok ? parseStoryboard(await response.text(), base) : Promise.reject()))
      .catch(() => {
        kept.delete(base);
        return [];
      });
    kept.set(base, tiles);
  }
  return tiles;
}

export function tileAt(tiles: Tile[], time: number): Tile | undefined {
  return tiles.find((tile) => time >= tile.start && time < tile.end) ?? tiles.at(-1);
}

/** Show `tile` in `box`, `width` pixels wide, through the one property a strict policy lets scripts set. */
export function paint(box: HTMLElement, tile: Tile, width: number): void {
  const scale = width / tile.width;
  box.style.width = `${width}px`;
  box.style.height = `${tile.height * scale}px`;
  let sheet = box.firstElementChild as HTMLImageElement | null;
  if (!sheet) {
    sheet = document.createElement("img");
    sheet.alt = "";
    box.append(sheet);
  }
  if (sheet.src !== tile.address) sheet.src = tile.address;
  sheet.style.cssText = `position:absolute;max-width:none;transform-origin:0 0;transform:scale(${scale}) translate(${-tile.x}px,${-tile.y}px)`;
}
