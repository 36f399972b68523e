import type { FrameKind } from '../log/frame.js'
import type { Problem } from './problem.js'

/** One connection of the console, as it is: it hides nothing, retries nothing, and repairs nothing. */
export interface Wire {
  /** Sends a text frame. Only a WebSocket can. */
  send (text: string): void
  /** Drops the connection: nothing is heard of it any more. */
  close (): void
}

export interface WireEvents {
  onOpen (): void
  onFrame (kind: FrameKind, text: string): void
  /** @param problem undefined: it has ended as it should */
  onEnd (problem: Problem | undefined): void
}

/** What a request is made of: its address, and its headers with the token. */
export interface Address {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

/** Asks without the cookie of the stream: the credential is the one that the person chose. */
export async function ask (
  { url, headers }: Address, init: RequestInit = {}, more: Readonly<Record<string, string>> = {}
): Promise<Response> {
  const options = { cache: 'no-store', credentials: 'omit', headers: { ...headers, ...more } } as const
  return await fetch(url, { ...options, ...init })
}
