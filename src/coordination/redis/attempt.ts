import { ProtocolError } from '@tickwire/protocol'

/** Runs a command; the client's words for what went wrong are for nobody who asked. @throws ProtocolError `overloaded`, `log_unavailable` */
export async function attempt<Answer> (command: () => Promise<Answer>): Promise<Answer> {
  try {
    return await command()
  } catch (error) {
    throw /\bOOM\b/.test(String(error))
      ? new ProtocolError('overloaded')
      : new ProtocolError('log_unavailable', 'what the servers know together cannot be reached now')
  }
}
