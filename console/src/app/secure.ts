// What the page's policy asks of its scripts; before anything else that makes elements.
/** Style elements carry it, or the browser ignores them. */
export const nonce = document.getElementById("hotbay-main")?.nonce ?? "";
// Libraries that make style elements read it under this name.
globalThis.__webpack_nonce__ = nonce;

interface Policies {
  createPolicy(name: string, rules: { createHTML: (text: string) => string | null }): unknown;
}

// Libraries set the text of style elements through innerHTML; text that could be an element is refused.
(globalThis as { trustedTypes?: Policies }).trustedTypes?.createPolicy("default", {
  createHTML: (text) => (text.includes("<") ? null : text),
});
