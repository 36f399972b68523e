import { showPage } from '../app/page.js'
import { Desk } from './desk.js'
import { LayoutDialog } from './layout-dialog.js'

void showPage({ name: 'desk', Content: Desk, Tools: LayoutDialog })
