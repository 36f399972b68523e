import { type ComponentType, type ReactNode, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ClientOfUser } from './client.js'
import { ConnectionIndicator } from './connection.js'
import { frozen } from './freeze.js'
import { LoginButton } from './login.js'
import { Notices } from './notices.js'
import {
  applyPreferences, language, type Language, LANGUAGES, theme, type Theme, THEMES, useWords, type Words
} from './preferences.js'
import { beginSession, readSettings, type Settings } from './session.js'
import { useStore } from './store.js'
import './styles.css'

const words = {
  en: {
    desk: 'Desk',
    monitor: 'Monitor',
    console: 'Console',
    compare: 'Transports',
    docs: 'Reference',
    pages: 'Pages',
    settings: 'Settings',
    language: 'Language',
    theme: 'Theme',
    system: 'System',
    light: 'Light',
    dark: 'Dark',
    freeze: 'Freeze',
    frozen: 'Frozen',
    close: 'Dismiss',
    skip: 'Skip to the content'
  },
  ko: {
    desk: '데스크',
    monitor: '모니터',
    console: '콘솔',
    compare: '전송 방식',
    docs: '문서',
    pages: '페이지',
    settings: '설정',
    language: '언어',
    theme: '테마',
    system: '시스템',
    light: '밝게',
    dark: '어둡게',
    freeze: '화면 고정',
    frozen: '고정됨',
    close: '닫기',
    skip: '본문으로 건너뛰기'
  }
} satisfies Words<Record<string, string>>

const NAMES: Readonly<Record<Language, string>> = { en: 'English', ko: '한국어' }
const PAGES = { desk: '.', monitor: 'monitor', console: 'console', compare: 'compare' } as const
export type PageName = keyof typeof PAGES

function Head ({ current, settings, tools }: {
  readonly current: PageName
  readonly settings: Settings
  readonly tools: ReactNode
}): ReactNode {
  const text = useWords(words)
  const isFrozen = useStore(frozen)
  const [chosenLanguage, chosenTheme] = [useStore(language), useStore(theme)]
  return (
    <header className='head'>
      <a className='skip' href='#main'>{text.skip}</a>
      <h1 className='brand'>Tickwire<span className='hidden'> {text[current]}</span></h1>
      <nav aria-label={text.pages}>
        {(Object.keys(PAGES) as PageName[]).map(page => (
          <a key={page} href={PAGES[page]} aria-current={page === current ? 'page' : undefined}>
            {text[page]}
          </a>
        ))}
        {settings.reference && <a href='docs/'>{text.docs}</a>}
      </nav>
      <ConnectionIndicator />
      <button
        type='button' aria-pressed={isFrozen} data-freeze onClick={() => { frozen.set(!isFrozen) }}
      >
        {isFrozen ? text.frozen : text.freeze}
      </button>
      {tools}
      <span className='spacer' />
      <details className='menu'>
        <summary>{text.settings}</summary>
        <div className='menu-body form'>
          <label>{text.language}
            <select
              name='language' value={chosenLanguage}
              onChange={({ target }) => { language.set(target.value as Language) }}
            >
              {LANGUAGES.map(one => <option key={one} value={one}>{NAMES[one]}</option>)}
            </select>
          </label>
          <label>{text.theme}
            <select
              name='theme' value={chosenTheme}
              onChange={({ target }) => { theme.set(target.value as Theme) }}
            >
              {THEMES.map(one => <option key={one} value={one}>{text[one]}</option>)}
            </select>
          </label>
        </div>
      </details>
      <LoginButton settings={settings} />
    </header>
  )
}

/** What a page is made of. */
export interface PageParts {
  readonly name: PageName
  readonly Content: ComponentType<{ readonly settings: Settings }>
  /** Stands in the head. */
  readonly Tools?: ComponentType
}

function Whole ({ parts: { name, Content, Tools }, settings }: {
  readonly parts: PageParts
  readonly settings: Settings
}): ReactNode {
  const text = useWords(words)
  return (
    <ClientOfUser>
      <Head current={name} settings={settings} tools={Tools === undefined ? null : <Tools />} />
      <main id='main' tabIndex={-1}><Content settings={settings} /></main>
      <Notices close={text.close} />
    </ClientOfUser>
  )
}

/** Shows a page: logs in first, so that it opens one connection, as the right user. */
export async function showPage (parts: PageParts): Promise<void> {
  applyPreferences()
  const [settings] = await Promise.all([readSettings(), beginSession()])
  const root = createRoot(document.getElementById('root')!)
  root.render(<StrictMode><Whole parts={parts} settings={settings} /></StrictMode>)
}
