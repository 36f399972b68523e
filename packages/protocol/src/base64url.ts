const EXPRESSION = /^[A-Za-z0-9_-]*$/

/** Returns bytes as base64url without padding (RFC 4648, 5). */
export function encodeBase64Url (bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * Returns the bytes of a text; undefined if the text is not the one that {@link encodeBase64Url} returns for
 * them.
 */
export function decodeBase64Url (text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!EXPRESSION.test(text) || text.length % 4 === 1) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, character => character.charCodeAt(0))
  return encodeBase64Url(bytes) === text ? bytes : undefined
}
