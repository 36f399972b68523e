import { keptStore } from './kept.js'
import { useStore } from './store.js'

export const LANGUAGES = ['en', 'ko'] as const
export type Language = typeof LANGUAGES[number]
/** `system`: as the person has set the operating system. */
export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = typeof THEMES[number]

const oneOf = <Choice extends string>(choices: readonly Choice[]) =>
  (value: unknown): value is Choice => choices.includes(value as Choice)

const preferred: Language = navigator.language.startsWith('ko') ? 'ko' : 'en'
export const language = keptStore<Language>('language', preferred, oneOf(LANGUAGES))
export const theme = keptStore<Theme>('theme', 'system', oneOf(THEMES))

/** Keeps the document's language and theme as the person chose them; the styles follow both. */
export function applyPreferences (): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const apply = (): void => {
    const root = document.documentElement
    root.lang = language.get()
    const chosen = theme.get()
    root.dataset['theme'] = chosen === 'system' ? (dark.matches ? 'dark' : 'light') : chosen
  }
  for (const store of [language, theme]) store.subscribe(apply)
  dark.addEventListener('change', apply)
  apply()
}

/** Words in each language; the types make sure that none is missing. */
export type Words<Text extends Readonly<Record<string, unknown>>> = Readonly<Record<Language, Text>>

/** Returns words in the language of the page. */
export const useWords = <Text extends Readonly<Record<string, unknown>>>(words: Words<Text>): Text =>
  words[useStore(language)]
