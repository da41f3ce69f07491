import de from './lib/de.json';

export const AddonConfig = {
  name: 'ai_chatbot',
  version: '1.1.0',
  routes: [
    {
      path: '/support/chats',
      component: () => import('./pages/ChatsPage'),
      requireAuth: true,
      requireAdmin: true,
      title: 'Live Chats',
    },
  ],
  components: {
    AIChatBot: () => import('./components/AIChatBot'),
  },
  widgets: [{ slot: 'homepage.widgets', component: 'AIChatBot' }],
  navigationItems: [
    {
      parent: 'Support',
      name: 'Live Chats',
      href: '/support/chats',
      icon: 'ChatBubbleLeftRightIcon',
      badge: '/api/v1/chat/admin/unread',
    },
  ],
  messages: { de },
};
