import { type ErrorCode, type ErrorMessage, errorTable, ProtocolError, type RequestId } from '@tickwire/protocol'

/** What a client is told of a refusal. */
export type Refusal = Pick<ProtocolError, 'code' | 'message' | 'retryAfterMs'>

/** What went wrong as a refusal from the table; what is not one is `internal`, and says nothing of itself. */
export function toProtocolError (error: unknown): ProtocolError {
  return error instanceof ProtocolError ? error : new ProtocolError('internal')
}

/** How long a client waits where the table has it come back and the refusal does not say. */
const DEFAULT_RETRY_MS = 1000

export function retryAfterMs (error: Refusal): number | undefined {
  if (error.retryAfterMs !== undefined) return error.retryAfterMs
  return errorTable[error.code].client === 'reconnect' ? DEFAULT_RETRY_MS : undefined
}

/** The `error` object: a message on a WebSocket, the body of an HTTP answer elsewhere. */
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
 * An error as it is logged. Libraries hang on theirs what they were given: a command of Redis with its arguments, a packet, and so
 * messages and tokens.
 */
export function errorFields (error: unknown): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: 'what was thrown is no error', stack: '' }
  const { code } = error as NodeJS.ErrnoException
  return { type: error.name, message: error.message, stack: error.stack ?? '', ...(typeof code === 'string' ? { code } : {}) }
}

export type { ErrorCode }
