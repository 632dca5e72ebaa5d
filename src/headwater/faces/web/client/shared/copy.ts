/** Put `words` on the clipboard, also where the page came over plain HTTP and has no clipboard API. */
export async function copy(words: string): Promise<void> {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(words);
  const field = document.createElement("textarea");
  field.value = words;
  field.className = "unseen";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
