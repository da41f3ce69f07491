/** The panel's own texts in German. */
export const GERMAN: Record<string, string> = {
  "Hosting, domains and mail": "Webspace, Domains und E-Mail",
  "Fast servers in Europe, simple prices, and people who answer.": "Schnelle Server in Europa, einfache Preise und Menschen, die antworten.",
  "My account": "Mein Konto", Products: "Produkte", "Log in": "Anmelden", "E-mail": "E-Mail", Password: "Passwort",
  "To your products, invoices and messages.": "Zu Ihren Produkten, Rechnungen und Nachrichten.",
  "E-mail or password is wrong.": "E-Mail oder Passwort ist falsch.",
  Dashboard: "Übersicht", Overview: "Übersicht", "Logged in as {name}": "Angemeldet als {name}", Customers: "Kunden", Customer: "Kunde", "Pending orders": "Wartende Bestellungen",
  "Owed to us": "Offene Beträge", "Overdue invoices": "Überfällige Rechnungen", "Newest invoices": "Neueste Rechnungen", "Newest orders": "Neueste Bestellungen",
  Number: "Nummer", Status: "Status", Total: "Summe", "New customer": "Neuer Kunde", "{name} was added": "{name} wurde angelegt", Name: "Name", Company: "Firma",
  Phone: "Telefon", Country: "Land", Add: "Anlegen", "Name, e-mail or company": "Name, E-Mail oder Firma", Search: "Suche", Since: "Seit",
  Invoices: "Rechnungen", Due: "Fällig", "New product": "Neues Produkt", "Article number": "Artikelnummer", Description: "Beschreibung", Price: "Preis",
  "Is sold": "Wird verkauft", sold: "im Verkauf", retired: "eingestellt", State: "Zustand", Orders: "Bestellungen", Product: "Produkt",
  pending: "wartet", active: "aktiv", cancelled: "storniert", open: "offen", paid: "bezahlt", overdue: "überfällig", void: "storniert",
  Payments: "Zahlungen", Received: "Eingang", Invoice: "Rechnung", Reference: "Verwendungszweck", Amount: "Betrag", "Book the payment": "Zahlung buchen",
  "{number} is paid": "{number} ist bezahlt", "My invoices": "Meine Rechnungen", "My orders": "Meine Bestellungen", "Nothing here yet": "Noch nichts da",
  transfer: "Überweisung", card: "Karte", cash: "bar",
};
