// The page's words. English is the key; one more language is one more table.
const RU = {
  Login: "Логин",
  Password: "Пароль",
  "Enter chat": "Войти",
  Rooms: "Комнаты",
  People: "Люди",
  "Go to": "Перейти",
  "Join a room": "Войти в комнату",
  Join: "Войти",
  Settings: "Настройки",
  Help: "Справка",
  Close: "Закрыть",
  Search: "Поиск",
  everywhere: "везде",
  Send: "Отправить",
  Reply: "Ответить",
  Edit: "Изменить",
  Delete: "Удалить",
  Copy: "Копировать",
  "Who has it": "Кто получил",
  Resend: "Повторить",
  Forget: "Забыть",
  "Message {0}": "Написать в {0}",
  "Messages in {0}": "Сообщения {0}",
  sending: "отправляется",
  sent: "отправлено",
  delivered: "доставлено",
  read: "прочитано",
  "not sent": "не отправлено",
  waiting: "ждёт",
  edited: "изменено",
  "message deleted": "сообщение удалено",
  Today: "Сегодня",
  Yesterday: "Вчера",
  "{0} unread": "непрочитанных: {0}",
  "mentions: {0}": "упоминаний: {0}",
  "{0} new": "новых: {0}",
  Newest: "К последним",
  "beginning of {0}": "начало {0}",
  "Nothing here yet.": "Здесь пока пусто.",
  "{0} is typing …": "{0} печатает …",
  "Here ({0})": "Здесь ({0})",
  online: "в сети",
  offline: "не в сети",
  "No connection since {0}.": "Нет связи с {0}.",
  "Messages waiting to be sent: {0}.": "Ждут отправки: {0}.",
  "Next try in {0} s": "Попытка через {0} с",
  Now: "Сейчас",
  "Leave room": "Покинуть комнату",
  "Leave chat": "Выйти из чата",
  "Show others what I have read": "Показывать, что я прочитал(а)",
  "Turn on notifications": "Включить уведомления",
  "Notifications are on.": "Уведомления включены.",
  "The browser blocks notifications.": "Браузер запрещает уведомления.",
  "Notifications need https or localhost.": "Уведомления возможны по https или на localhost.",
  "Replying to {0}": "Ответ: {0}",
  Editing: "Правка",
  "Found: {0}": "Найдено: {0}",
  "Delete this message?": "Удалить сообщение?",
  "Set password": "Задать пароль",
  "This login has an owner: enter its password, or choose another.":
    "У логина есть хозяин: введите пароль или возьмите другой.",
  "This login is now open in another window.": "Этот вход открыт в другом окне.",
  "{0} joined": "{0} входит",
  "{0} left": "{0} выходит",
  "{1} removed {0}": "{1} удаляет {0}",
  "{1} set the topic: {2}": "{1} меняет тему: {2}",
  "{1} invited {0}": "{1} приглашает {0}",
  "{1} changed the room": "{1} меняет комнату",
  "{1} made the room": "{1} создаёт комнату",
  "the room is now {2}": "комната теперь {2}",
  "new line": "новая строка",
  "next, previous room": "следующая, предыдущая комната",
  "next unread": "к непрочитанному",
  "edit the last message": "изменить последнее",
  "other messages": "другие сообщения",
  "This browser does not keep unsent messages when the page is reloaded.":
    "Этот браузер не хранит неотправленное при перезагрузке страницы.",
  "it is not known whether it was sent: send it again?":
    "неизвестно, отправлено ли: отправить ещё раз?",
  "The server was restored from a backup: it does not have the messages after {0} that you saw.":
    "Сервер вернули назад: сообщений после {0}, которые вы видели, на нём нет.",
  "The server was restored from a backup: it does not have the messages that you saw.":
    "Сервер вернули назад: того, что вы видели, на нём нет.",
  "There is no such message in your conversations.": "Такого сообщения в ваших разговорах нет.",
  "No connection.": "Нет связи.",
  "Longer than {0} bytes.": "Длиннее {0} байт.",
  "No command /{0}. //{0} sends it as text.": "Нет команды /{0}. //{0} отправит её как текст.",
};
const TABLES = { en: {}, ru: RU };
export const lang =
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => TABLES[tag]) || "en";
export const t = (text, ...args) =>
  (TABLES[lang][text] || text).replace(/\{(\d)\}/g, (_, i) => args[i]);

// The static page: data-t is text; names and hints are translated where they stand.
export function translate() {
  document.documentElement.lang = lang;
  for (const el of document.querySelectorAll("[data-t]")) {
    el.textContent = t(el.textContent);
  }
  for (const el of document.querySelectorAll("[aria-label]")) {
    el.ariaLabel = t(el.ariaLabel);
  }
  for (const el of document.querySelectorAll("input")) {
    el.placeholder = t(el.placeholder);
  }
}
