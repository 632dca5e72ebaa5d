/** Numbers as people say them; the server's words.py says the same. */
import { words as texts } from "../../texts/en.json";
import { say } from "./texts";

export function clock(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds + 1e-6));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  const rest = String(total % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function size(bytes: number): string {
  let count = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 1000) return digits(count, unit);
    count /= 1000;
  }
  return digits(count, "TB");
}

function digits(count: number, unit: string): string {
  return `${count.toFixed(unit === "B" || count >= 10 ? 0 : 1)} ${unit}`;
}

/** Say an estimate of the time left, as roughly as it is known; "" where nobody knows. */
export function left(seconds: number | null): string {
  if (seconds === null) return "";
  const [minutes, hours] = [Math.round(seconds / 60), Math.round(seconds / 3600)];
  if (minutes < 1) return texts.left_moment;
  return minutes < 60 ? say(texts.left_minutes, { n: minutes }) : say(texts.left_hours, { n: hours });
}

/** Read `?t=` as people write it: 90, 90s, 1m30s, 1h2m3s. */
export function moment(text: string | null): number | null {
  const parts = text?.trim().match(/^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$/);
  if (!text || !parts) return null;
  const [, hours = "0", minutes = "0", seconds = "0"] = parts;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}
