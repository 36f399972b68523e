import {
  type ErrorCode, type ErrorMessage, errorTable, ProtocolError, type RequestId
} from '@tickwire/protocol'

/** The fields of a refusal that its client gets. */
export type Refusal = Pick<ProtocolError, 'code' | 'message' | 'retryAfterMs'>

/** Returns a refusal as it is, and `internal` for any other error, which reveals nothing of it. */
export function toProtocolError (error: unknown): ProtocolError {
  return error instanceof ProtocolError ? error : new ProtocolError('internal')
}

/**
 * Returns the words of whatever was thrown, for the server's log. If no address of a host answers, Node's
 * error has a code and no message.
 */
export function wordsOf (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  return (error as NodeJS.ErrnoException).code ?? error.name
}

/** How long a client waits if the table has it reconnect and the refusal names no time. */
const DEFAULT_RETRY_MS = 1000

export function retryAfterMs (error: Refusal): number | undefined {
  if (error.retryAfterMs !== undefined) return error.retryAfterMs
  return errorTable[error.code].client === 'reconnect' ? DEFAULT_RETRY_MS : undefined
}

/** Makes the `error` object: a message on a WebSocket, the body of an HTTP answer elsewhere. */
export function errorMessage (error: Refusal, id?: RequestId): ErrorMessage {
  const retry = retryAfterMs(error)
  return {
    type: 'error',
    ...(id === undefined ? {} : { id }),
    code: error.code,
    message: error.message,
    ...(retry === undefined ? {} : { retry_after_ms: retry })
  }
}

export interface ErrorFields {
  readonly type: string
  readonly message: string
  readonly stack: string
  readonly code?: string
}

/**
 * Returns the fields of an error that are logged. Libraries attach to their errors what they were given, such
 * as a Redis command with its arguments, or a packet; that can contain messages and tokens.
 */
export function errorFields (error: unknown): ErrorFields {
  if (!(error instanceof Error)) {
    return { type: typeof error, message: 'the thrown value is not an Error', stack: '' }
  }
  const { code } = error as NodeJS.ErrnoException
  return {
    type: error.name,
    message: error.message,
    stack: error.stack ?? '',
    ...(typeof code === 'string' ? { code } : {})
  }
}

export type { ErrorCode }
