import { type Dispatcher, fetch, type Response } from 'undici'
import { DeadlinePassed, withDeadline } from '../../deadline.js'
import { wordsOf } from '../../errors.js'
import { version } from '../../version.js'

/** Bounds for an answer that a stranger gives. */
const MAX_BYTES = 2 * 1024 * 1024
const MAX_REDIRECTS = 5
const DEADLINE_MS = 30_000
const MAX_RETRY_AFTER_SECONDS = 86_400
const MAX_VALIDATOR = 512

const USER_AGENT = `tickwire/${version} (news feeds)`
const ACCEPT = 'application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, ' +
  'text/xml;q=0.9, */*;q=0.1'

/**
 * Why a feed could not be read, as a label of the metrics. `failed`: the reader of feeds itself failed.
 */
export type FaultKind =
  | 'unreachable' | 'timeout' | 'too_big' | 'redirects' | 'refused' | 'busy' | 'not_a_feed' | 'failed'

/** A feed that could not be read; the message says why. */
export class FeedFault extends Error {
  override readonly name = 'FeedFault'

  /** @param retryAfterMs how long the server asks not to be asked again */
  constructor (readonly kind: FaultKind, message: string, readonly retryAfterMs = 0) {
    super(message)
  }
}

/** With these a server tells whether a document has changed. */
export interface Validators {
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
}

export interface FetchedFeed extends Validators {
  readonly text: string
  /** Where it was found, after redirects. */
  readonly url: string
}

export interface FetchOptions {
  readonly signal: AbortSignal
  readonly dispatcher?: Dispatcher | undefined
  readonly deadlineMs?: number | undefined
}

/**
 * Fetches a document. Returns undefined if it has not changed since the server sent these validators.
 * @throws FeedFault; whatever aborts the signal
 */
export async function fetchFeed (
  url: string, validators: Validators, { signal, dispatcher, deadlineMs = DEADLINE_MS }: FetchOptions
): Promise<FetchedFeed | undefined> {
  try {
    return await withDeadline(signal, deadlineMs, async inTime => {
      const [response, found] = await follow(url, validators, { signal: inTime, dispatcher })
      if (response.status === 304) return undefined
      const text = decode(await readBody(response), response.headers.get('content-type') ?? '')
      return { text, url: found, ...validatorsOf(response) }
    })
  } catch (error) {
    if (signal.aborted || error instanceof FeedFault) throw error
    if (error instanceof DeadlinePassed) {
      throw new FeedFault('timeout', `no whole answer within ${deadlineMs} ms`)
    }
    throw new FeedFault('unreachable', causeOf(error))
  }
}

/** Follows redirects. @returns an answer with a document or 304, and its address @throws FeedFault */
async function follow (
  first: string, { etag, lastModified }: Validators, options: Pick<FetchOptions, 'signal' | 'dispatcher'>
): Promise<[Response, string]> {
  const headers = {
    'user-agent': USER_AGENT,
    accept: ACCEPT,
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified })
  }
  const { signal, dispatcher } = options
  const client = dispatcher === undefined ? {} : { dispatcher }
  const given = { headers, redirect: 'manual', signal, ...client } as const
  for (let url = first, hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await fetch(url, given)
    const { status } = response
    if (status === 200 || status === 304) return [response, url]
    await response.body?.cancel()
    const location = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(status) || location === null) throw faultOf(response)
    if (!URL.canParse(location, url) || !/^https?:$/.test(new URL(location, url).protocol)) {
      throw new FeedFault('redirects', 'it redirects to what is no address of http or https')
    }
    url = new URL(location, url).href
  }
  throw new FeedFault('redirects', `it redirects more than ${MAX_REDIRECTS} times`)
}

function faultOf ({ status, headers }: Response): FeedFault {
  const isBusy = status === 429 || status >= 500
  return new FeedFault(isBusy ? 'busy' : 'refused', `the answer has the status ${status}`,
    retryAfterMs(headers.get('retry-after')))
}

/** Reads seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs (text: string | null): number {
  if (text === null) return 0
  const seconds = /^\d{1,9}$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000
  return Number.isNaN(seconds) ? 0 : 1000 * Math.min(Math.max(0, seconds), MAX_RETRY_AFTER_SECONDS)
}

async function readBody (response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // What was compressed is counted as it is when it is not.
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).byteLength
    if (bytes > MAX_BYTES) throw new FeedFault('too_big', `it has more than ${MAX_BYTES} bytes`)
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks)
}

const BYTE_ORDER_MARKS: ReadonlyArray<readonly [mark: string, encoding: string]> =
  [['efbbbf', 'utf-8'], ['fffe', 'utf-16le'], ['feff', 'utf-16be']]

/** Decodes by its byte order mark, else by what the answer says, else by what the document says. */
function decode (bytes: Buffer, contentType: string): string {
  const begins = bytes.subarray(0, 3).toString('hex')
  const marked = BYTE_ORDER_MARKS.find(([mark]) => begins.startsWith(mark))
  const said = /charset="?([\w.:-]+)/i.exec(contentType)?.[1]
  const declared = /^\s*<\?xml[^>]*encoding=["']([\w.:-]+)/.exec(bytes.subarray(0, 200).toString('latin1'))?.[1]
  const encoding = marked?.[1] ?? said ?? declared ?? 'utf-8'
  try {
    return new TextDecoder(encoding).decode(bytes)
  } catch {
    throw new FeedFault('not_a_feed', `it has an encoding that nobody knows, '${encoding.slice(0, 32)}'`)
  }
}

function validatorsOf ({ headers }: Response): Validators {
  const usable = (name: string): string | undefined => {
    const text = headers.get(name)
    return text !== null && text.length <= MAX_VALIDATOR ? text : undefined
  }
  return { etag: usable('etag'), lastModified: usable('last-modified') }
}

/** The client says `fetch failed`, and why in the cause. */
const causeOf = (error: unknown): string =>
  wordsOf(error instanceof Error && error.cause instanceof Error ? error.cause : error)
