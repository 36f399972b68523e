/** The log cannot be opened; the message says what to do. */
export class LogSetupError extends Error {
  override readonly name = 'LogSetupError'
}
