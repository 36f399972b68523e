/** A log that cannot be opened; the message says what to do. */
export class LogSetupError extends Error {
  override readonly name = 'LogSetupError'
}

/** Something went wrong at one of several servers, which is named beside its cause. */
export class AtServer extends Error {
  override readonly name = 'AtServer'

  /** @param where as a sentence goes on with it: `its master 10.0.0.1:6379` */
  constructor (readonly where: string, override readonly cause: unknown) {
    super(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
