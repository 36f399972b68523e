import { readFileSync } from 'node:fs'
import { ConfigError } from '../config.js'

export const PEM_BEGIN = '-----BEGIN '

/**
 * Returns the text of a setting that holds a PEM, whose line breaks may be written as `\n`, or the path of a
 * PEM file; without the white space around it.
 * @param name the setting, for the message of a refusal
 * @throws ConfigError
 */
export function readPem (name: string, setting: string): string {
  if (setting.includes(PEM_BEGIN)) return setting.replaceAll('\\n', '\n').trim()
  try {
    return readFileSync(setting.trim(), 'utf8').trim()
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new ConfigError(`${name} is neither a PEM nor the path of a file that can be read (${code})`)
  }
}
