import { connect, type Socket } from 'node:net'

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number
  /** By name in lower case; of several of a name, the last. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Why there is none. */
export type NoAnswer = 'closed' | 'late'

const HEAD_END = '\r\n\r\n'

/**
 * Reads one answer from what has arrived, one character per byte.
 * @param partial whether an answer without its end counts
 */
function parse (text: string, partial = false): { answer: RawAnswer, end: number } | undefined {
  const head = text.indexOf(HEAD_END)
  if (head < 0) return undefined
  const [line = '', ...fields] = text.slice(0, head).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1])
  const headers = Object.fromEntries(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
  const start = head + HEAD_END.length
  const { body, end } = headers['transfer-encoding'] === 'chunked' ? readChunks(text, start) : readLength(text, start, status, headers['content-length'])
  if (end === undefined && !partial) return undefined
  return { answer: { status, headers, body: Buffer.from(body, 'latin1') }, end: end ?? text.length }
}

interface Body {
  readonly body: string
  /** Undefined where it is not complete. */
  readonly end: number | undefined
}

function readLength (text: string, start: number, status: number, contentLength = '0'): Body {
  const end = start + (status === 101 || status === 204 || status === 304 ? 0 : Number(contentLength))
  return { body: text.slice(start, end), end: text.length < end ? undefined : end }
}

function readChunks (text: string, start: number): Body {
  let body = ''
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = parseInt(text.slice(at, lineEnd), 16)
    if (lineEnd < 0 || text.length < lineEnd + 4 + size) return { body, end: undefined }
    if (size === 0) return { body, end: lineEnd + 4 }
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 4 + size
  }
}

/**
 * A client that sends whatever bytes it is given, as no library would, one request after another on one
 * connection.
 */
export class RawHttp {
  private socket: Socket | undefined
  private text = ''
  private look: () => void = () => {}

  /** @param localAddress where it comes from, as the server sees it */
  constructor (private readonly port: number, private readonly localAddress = '127.0.0.1') {}

  /**
   * @param opened called with what has arrived while the answer is not whole, once its head is there. If it
   *   returns true, what there is counts as the answer, for example of an event stream.
   * @returns the answer, or why there is none; then the connection is gone
   */
  async send (
    bytes: string | Buffer,
    timeoutMs: number,
    opened: (text: string) => boolean = () => false
  ): Promise<RawAnswer | NoAnswer> {
    const socket = this.socket ??= this.open()
    return await new Promise(resolve => {
      const done = (answer: RawAnswer | NoAnswer): void => {
        clearTimeout(timer)
        this.look = () => {}
        resolve(answer)
      }
      const timer = setTimeout(() => {
        this.close()
        done('late')
      }, timeoutMs)
      this.look = () => {
        const parsed = parse(this.text)
        if (parsed !== undefined) {
          this.text = this.text.slice(parsed.end)
          if (parsed.answer.headers['connection'] === 'close' || parsed.answer.status === 101) this.close()
          done(parsed.answer)
        } else if (this.text.includes(HEAD_END) && opened(this.text)) {
          const { answer } = parse(this.text, true)!
          this.close()
          done(answer)
        } else if (socket.destroyed) {
          this.close()
          done('closed')
        }
      }
      socket.write(bytes)
      this.look()
    })
  }

  close (): void {
    this.socket?.destroy()
    this.socket = undefined
    this.text = ''
  }

  private open (): Socket {
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: this.localAddress })
    const mine = (): boolean => this.socket === socket
    socket.setNoDelay(true)
    socket.on('data', chunk => {
      if (!mine()) return
      this.text += chunk.toString('latin1')
      this.look()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (mine()) this.look()
      if (mine()) this.close()
    })
    return socket
  }
}
