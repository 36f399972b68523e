import { type Frame, FRAME_KINDS } from './frame.js'
import { MOST_ROWS } from './row-log.js'

/** The largest file that is read. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024
const VERSION = 1

interface Head {
  readonly tickwire_console: number
  readonly saved_at: string
  readonly server: string
}

/** A session as lines of JSON: what it is, then a frame on each line. */
export function sessionText (frames: readonly Frame[], server: string, now: number): string {
  const head: Head = { tickwire_console: VERSION, saved_at: new Date(now).toISOString(), server }
  const lines = frames.map(({ at, ...rest }) => ({ at: new Date(at).toISOString(), ...rest }))
  return [head, ...lines].map(line => JSON.stringify(line) + '\n').join('')
}

export interface SavedSession {
  readonly server: string
  readonly frames: readonly Frame[]
}

/** Returns a session that was saved; undefined: the text is none. */
export function readSession (text: string): SavedSession | undefined {
  try {
    const all = text.replace(/^\uFEFF/, '').split('\n').filter(line => line.trim() !== '')
    const [first = '', ...lines] = all
    const head = JSON.parse(first) as Partial<Head>
    if (head.tickwire_console !== VERSION) return undefined
    const frames = lines.slice(-MOST_ROWS).map(readFrame)
    return { server: String(head.server ?? ''), frames }
  } catch {
    return undefined
  }
}

/** @throws Error if the line is no frame */
function readFrame (line: string): Frame {
  const { at, direction, kind, type, text } = JSON.parse(line) as Readonly<Record<string, unknown>>
  const found = FRAME_KINDS.find(one => one === kind)
  const time = Date.parse(String(at))
  const isWhole = found !== undefined && typeof text === 'string' && !Number.isNaN(time)
  if (!isWhole || (direction !== 'in' && direction !== 'out')) throw new TypeError('not a frame')
  return { at: time, direction, kind: found, text, ...(typeof type === 'string' ? { type } : {}) }
}
