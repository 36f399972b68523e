/** Where the code that is copied speaks to. */
export const serverAddress = (): string => new URL('.', document.baseURI).href.replace(/\/$/, '')

/** Returns a text for a shell: in single quotes. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Returns a value as JavaScript, in the style of the project. */
export function asJavaScript (value: unknown): string {
  if (typeof value === 'string') {
    const inner = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
    return `'${inner}'`
  }
  if (Array.isArray(value)) return `[${value.map(asJavaScript).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => {
      const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : asJavaScript(name)
      return `${key}: ${asJavaScript(field)}`
    })
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  return JSON.stringify(value) ?? 'undefined'
}

/** Returns a value as Python. */
export function asPython (value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(asPython).join(', ')}]`
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${asPython(field)}`)
    return `{${fields.join(', ')}}`
  }
  return JSON.stringify(value)
}

const KEYWORDS = /^(?:False|None|True|and|as|class|def|del|elif|else|except|for|from|global|if|import|in|is|lambda|not|or|pass|raise|return|try|while|with|yield)$/

/** Returns fields as arguments of a call. */
export function asArguments (fields: object): string {
  const entries = Object.entries(fields)
  const isPlain = entries.every(([name]) => /^[A-Za-z_]\w*$/.test(name) && !KEYWORDS.test(name))
  return isPlain
    ? entries.map(([name, value]) => `${name}=${asPython(value)}`).join(', ')
    : `**${asPython(fields)}`
}
