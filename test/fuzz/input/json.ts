import type { Choices } from '../../helpers/random.js'

/** A piece of JSON, or of what is none, that is written as it stands. */
export class Raw {
  constructor (readonly text: string) {}
}

/** A member that is written twice. */
export class Doubled {
  constructor (readonly first: unknown, readonly second: unknown) {}
}

/** What may stand between tokens (RFC 8259, 2). */
const SPACES = ['', '', '', ' ', '\n', '\t', '\r\n', '    ']

/** Writes JSON as a stranger's library might: any order, any spaces, any escapes. */
export class JsonWriter {
  private plain = true

  constructor (private readonly random: Choices) {}

  write (value: unknown): string {
    this.plain = this.random.next() < 0.7
    return this.space() + this.value(value) + this.space()
  }

  private value (value: unknown): string {
    if (value instanceof Raw) return value.text
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return `[${this.space()}${value.map(item => this.value(item)).join(this.space() + ',' + this.space())}${this.space()}]`
    if (typeof value === 'object' && value !== null) return this.object(value)
    return value === undefined ? 'null' : JSON.stringify(value)
  }

  private object (value: object): string {
    const members = Object.entries(value).flatMap(([name, member]) => member instanceof Doubled
      ? [[name, member.first], [name, member.second]] as const
      : [[name, member]] as const)
    if (!this.plain) members.sort(() => this.random.next() - 0.5)
    return `{${this.space()}${members.map(([name, member]) => `${this.text(name)}${this.space()}:${this.space()}${this.value(member)}`).join(this.space() + ',' + this.space())}${this.space()}}`
  }

  private text (text: string): string {
    if (this.plain) return JSON.stringify(text)
    return `"${Array.from({ length: text.length }, (_, index) => {
      if (this.random.next() < 0.2) return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
      const written = JSON.stringify(text[index]).slice(1, -1)
      return text[index] === '/' && this.random.next() < 0.5 ? '\\/' : written
    }).join('')}"`
  }

  private space (): string {
    return this.plain ? '' : this.random.pick(SPACES)
  }
}
