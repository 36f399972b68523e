import { ProtocolError } from '@tickwire/protocol'

/**
 * Runs a command of Redis, and hides the words of the client library from the caller.
 * @throws ProtocolError `overloaded`, `log_unavailable`
 */
export async function attempt<Answer> (command: () => Promise<Answer>): Promise<Answer> {
  try {
    return await command()
  } catch (error) {
    throw /\bOOM\b/.test(String(error))
      ? new ProtocolError('overloaded')
      : new ProtocolError('log_unavailable', 'what the servers share beside the log cannot be reached now')
  }
}
