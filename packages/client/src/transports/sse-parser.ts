/** Receives an event of an event stream. @param name '' for an unnamed one */
export type OnEvent = (name: string, data: string) => void

/**
 * Returns a function that takes the text of an event stream in pieces (HTML, Server-sent events). It takes
 * each end of a line: LF, CRLF and CR.
 */
export function sseParser (onEvent: OnEvent): (text: string) => void {
  let rest = ''
  let first = true
  let name = ''
  let data: string[] = []
  return text => {
    rest += text
    if (first && rest !== '') {
      first = false
      if (rest.startsWith('\uFEFF')) rest = rest.slice(1)
    }
    // A CR at the end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) onEvent(name, data.join('\n'))
        name = ''
        data = []
        continue
      }
      const [, field, value = ''] = /^([^:]*)(?::\u0020?(.*))?$/s.exec(line)!
      if (field === 'data') data.push(value)
      else if (field === 'event') name = value
    }
  }
}
