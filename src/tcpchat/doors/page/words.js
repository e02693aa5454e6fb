// The page's words. English is the key; a language is a table. One more language: one more table.
const RU = {
  "Login": "Логин", "Password": "Пароль", "Enter chat": "Войти", "Rooms": "Комнаты", "People": "Люди", "People here": "Кто здесь",
  "Go to": "Перейти", "Join a room": "Войти в комнату", "Join": "Войти", "Settings": "Настройки", "Help": "Справка", "Close": "Закрыть",
  "Search": "Поиск", "Search this room": "Поиск в комнате", "everywhere": "везде", "Send": "Отправить", "Reply": "Ответить",
  "Edit": "Изменить", "Delete": "Удалить", "Copy": "Копировать", "Who has it": "Кто получил", "Resend": "Повторить", "Forget": "Забыть",
  "Skip to the message field": "К полю сообщения", "Message {0}": "Сообщение: {0}", "Messages in {0}": "Сообщения: {0}",
  "sending": "отправляется", "sent": "отправлено", "delivered": "доставлено", "read": "прочитано", "not sent": "не отправлено",
  "waiting": "ждёт", "edited": "изменено", "message deleted": "сообщение удалено", "Today": "Сегодня", "Yesterday": "Вчера",
  "{0} unread": "непрочитанных: {0}", "{0}, {1} unread": "{0}, непрочитанных: {1}", "{0} mentions": "упоминаний: {0}", "{0} newer": "ещё {0}", "Newest": "К последним",
  "beginning of {0}": "начало: {0}", "Nobody has said anything in {0} yet.": "В {0} пока никто ничего не сказал.",
  "{0} is typing …": "{0} печатает …", "{0} people are typing …": "печатают: {0}", "Here ({0})": "Здесь ({0})", "offline": "не в сети", "online": "в сети",
  "connected": "на связи", "connecting …": "соединение …", "No connection since {0}.": "Нет связи с {0}.",
  "{0} messages are kept here and go out by themselves.": "Сообщений ждёт здесь: {0}; они уйдут сами.", "Next try in {0} s": "Попытка через {0} с", "Now": "Сейчас",
  "{0} new messages": "новых сообщений: {0}", "You are {0}.": "Вы — {0}.", "Leave room": "Покинуть комнату", "Leave chat": "Выйти из чата",
  "Theme": "Тема", "as the system": "как в системе", "light": "светлая", "dark": "тёмная", "Let others see what I have read": "Показывать другим, что я прочитал(а)",
  "Turn on notifications": "Включить уведомления", "Notifications are on.": "Уведомления включены.", "Notifications are blocked in the browser.": "Уведомления запрещены в браузере.",
  "Notifications need https or localhost.": "Уведомления возможны только по https или на localhost.", "This browser has no notifications.": "Этот браузер не умеет уведомлять.",
  "Replying to {0}": "Ответ: {0}", "Editing": "Правка", "Nothing found.": "Ничего не найдено.", "Found: {0}": "Найдено: {0}", "Delete this message?": "Удалить это сообщение?",
  "This login belongs to somebody. Enter its password, or choose another.": "Этот логин занят. Введите его пароль или выберите другой.",
  "Passwords are taken only over https or on this machine.": "Пароль принимается только по https или на этой же машине.",
  "The server cannot be reached.": "Сервер недоступен.", "or in a terminal: {0}": "или в терминале: {0}", "Server key: {0}": "Ключ сервера: {0}",
  "{0} joined": "{0} входит", "{0} left": "{0} выходит", "{0} was removed by {1}": "{1} удаляет {0}", "{0} set the topic: {1}": "{0} меняет тему: {1}",
  "{0} was invited by {1}": "{1} приглашает {0}", "{0} changed the room": "{0} меняет комнату", "the room was renamed {0}": "комната теперь {0}", "{0} made the room": "{0} создаёт комнату",
  "You were replaced by another window.": "Открыто другое окно с этим входом.", "Topic": "Тема", "Save": "Сохранить", "Cancel": "Отмена", "Keys": "Клавиши", "Set a password": "Задать пароль",
  "send / new line": "отправить / новая строка", "next / previous room": "следующая / предыдущая комната", "next unread": "к непрочитанному", "this help": "эта справка",
  "back to the newest, mark read": "к последним, отметить прочитанным", "move between messages": "по сообщениям", "edit the last own message": "изменить последнее своё",
  "This browser cannot store messages; what waits is lost when the page closes.": "Браузер не хранит сообщения: при закрытии страницы ждущие пропадут.",
  "Too fast; it goes out in {0} s.": "Слишком быстро; уйдёт через {0} с.", "The text is longer than {0} bytes.": "Текст длиннее {0} байт.",
};
const TABLES = { ru: RU };
export const lang = (navigator.languages || [navigator.language || "en"]).map((l) => l.slice(0, 2)).find((l) => l === "en" || TABLES[l]) || "en";
const table = TABLES[lang] || {};
export const t = (text, ...args) => (table[text] || text).replace(/\{(\d)\}/g, (_, i) => args[i]);

// Fill the static page: data-t is text, data-label an accessible name, data-hint a placeholder.
export function translate(root) {
  document.documentElement.lang = lang;
  for (const el of root.querySelectorAll("[data-t]")) el.textContent = t(el.dataset.t);
  for (const el of root.querySelectorAll("[data-label]")) el.setAttribute("aria-label", t(el.dataset.label));
  for (const el of root.querySelectorAll("[data-hint]")) el.placeholder = t(el.dataset.hint);
}
