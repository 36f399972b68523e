import { showPage } from '../app/page.js'
import { ConsolePage } from './view/console-page.js'

void showPage({ name: 'console', Content: ConsolePage })
