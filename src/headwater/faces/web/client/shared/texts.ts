/** Fill the `{names}` of a sentence from the catalogue; two forms are chosen by `n`. */
export type Sentence = string | { one: string; other: string };

export function say(sentence: Sentence, values: Record<string, string | number> = {}): string {
  const form = typeof sentence === "string" ? sentence : values.n === 1 ? sentence.one : sentence.other;
  return form.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
