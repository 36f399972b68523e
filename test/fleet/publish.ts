import { signedToken } from '../helpers/tokens.js'

const ANSWER_TIMEOUT_MS = 4000
const TOKEN_SECONDS = 86_400

/** What was said to a request to publish (PROTOCOL.md, Publishing). */
export interface PublishAnswer {
  readonly status: number
  readonly accepted?: number
  /** In the order of the messages; null for one that was not taken. */
  readonly sequences?: ReadonlyArray<number | null>
  readonly rejected?: ReadonlyArray<{ readonly code: string }>
  readonly code?: string
}

/** A token that outlasts any run. */
export const runToken = (claims: object): string => signedToken(claims, TOKEN_SECONDS)

/** The time limit for requests to a server that may be very slow. */
export const PATIENT_MS = 60_000

/**
 * Publishes by a request of its own. It throws where nobody listens, the connection broke, or no answer came
 * in time: whether anything was appended is not known then.
 */
export async function publishTo (
  origin: string, token: string, items: object, timeoutMs = ANSWER_TIMEOUT_MS
): Promise<PublishAnswer> {
  const response = await fetch(`${origin}/v1/publish`, {
    method: 'POST',
    body: JSON.stringify(items),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(timeoutMs)
  })
  return { ...await response.json() as Omit<PublishAnswer, 'status'>, status: response.status }
}
