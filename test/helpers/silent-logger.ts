/** A logger for sources that logs nothing. */
export const silentLogger = { info () {}, warn () {}, error () {} }
