// @ts-check
/** The list of people and the list of rooms, with what can be done from here. It decides nothing. */
import { byId, icon, make, showList } from '../ui/dom.js';
import { colourOf, initials } from './names.js';

/** @typedef {import('./lobby.js').Person} Person */
/** @typedef {{call: (peer: string) => void, invite: (peer: string) => void, enter: (room: string) => void}} PeopleActions */
/** @typedef {{people: Person[], count: number, room: string, isIdle: boolean}} PeopleState `room` of this page */

/** @param {PeopleState} state @param {PeopleActions} actions */
export function showPeople({ people, count, room, isIdle }, actions) {
  byId('people-count').textContent = String(count);
  const hidden = count - people.length;
  byId('people-more').hidden = hidden <= 0;
  byId('people-more').textContent = `${hidden} more; too many for a list. Call by ID.`;
  byId('people-alone').hidden = count !== 1;
  showList(byId('people'), people, ({ peer }) => peer, createPerson, (element, person) => {
    element.show(person, isIdle ? 'call' : room && person.room !== room && !person.isSelf ? 'invite' : 'none', actions);
  });
  /** @type {Map<string, Person[]>} */
  const rooms = new Map();
  for (const person of people) if (person.room) rooms.set(person.room, [...(rooms.get(person.room) ?? []), person]);
  byId('rooms-empty').hidden = rooms.size > 0;
  const sorted = [...rooms].sort(([a], [b]) => a.localeCompare(b));
  showList(byId('rooms'), sorted, ([name]) => name, createRoom, (element, [name, members]) => element.show(name, members, isIdle, name === room, actions));
}

function face() {
  const element = make('span', { className: 'face small', 'aria-hidden': 'true' });
  /** @param {Person} person */
  const show = ({ peer, name }) => {
    element.textContent = initials(name);
    element.dataset.colour = String(colourOf(peer));
  };
  return Object.assign(element, { show });
}

function createPerson() {
  const picture = face();
  const name = make('strong');
  const what = make('small');
  const button = make('button', { className: 'button small', type: 'button' });
  const element = make('li', { className: 'person' }, picture, make('span', { className: 'person-text' }, name, what), button);
  /** @param {Person} person @param {'call' | 'invite' | 'none'} action @param {PeopleActions} actions */
  const show = (person, action, actions) => {
    const isFree = !person.isSelf && (!person.isBusy || action === 'invite');
    picture.show(person);
    name.textContent = person.isSelf ? `${person.name} (you)` : person.name;
    what.textContent = [person.room ? `in ${person.room}` : person.isBusy ? 'in a call' : '', person.node && `node ${person.node}`].filter(Boolean).join(' · ');
    element.dataset.peer = person.peer;
    button.hidden = person.isSelf || action === 'none';
    button.disabled = !isFree;
    const label = action === 'invite' ? 'Invite' : 'Call';
    if (button.textContent !== label) button.replaceChildren(icon(action === 'invite' ? 'invite' : 'call'), label);
    button.setAttribute('aria-label', `${label} ${person.name}`);
    button.onclick = () => (action === 'invite' ? actions.invite(person.peer) : actions.call(person.peer));
  };
  return Object.assign(element, { show });
}

function createRoom() {
  const name = make('strong');
  const faces = make('span', { className: 'faces' });
  const who = make('small');
  const button = make('button', { className: 'button small', type: 'button' }, 'Enter');
  const element = make('li', { className: 'person room' }, faces, make('span', { className: 'person-text' }, name, who), button);
  /** @param {string} room @param {Person[]} members @param {boolean} isIdle @param {boolean} isOwn @param {PeopleActions} actions */
  const show = (room, members, isIdle, isOwn, actions) => {
    name.textContent = room;
    who.textContent = members.map((person) => (person.isSelf ? 'you' : person.name)).join(', ');
    showList(faces, members.slice(0, 3), ({ peer }) => peer, face, (part, person) => part.show(person));
    button.hidden = !isIdle || isOwn;
    button.setAttribute('aria-label', `Enter ${room}`);
    button.onclick = () => actions.enter(room);
  };
  return Object.assign(element, { show });
}
