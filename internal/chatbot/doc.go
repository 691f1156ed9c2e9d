// Package chatbot is the surface for rooms: it reads what somebody writes there
// as a command of one grammar, asks the service as that person, and says the
// answer in the person's language. It decides nothing.
//
// It guarantees, whatever is written:
//
//   - What is written is data: bounded, without control characters and marks
//     that change the reading order. Mentions have no meaning, and no word of it
//     runs anything but the commands of the grammar.
//   - Every text has an answer. What is no command is answered with the nearest
//     that is one, and an example that would work.
//   - Nothing is done for somebody who is not a person of the configuration, and
//     nobody does more over a room than their role and bounds allow. Where the
//     chat system does not sign what it posts, what changes something is done
//     once it was confirmed.
//   - Every command is in the record, with who wrote it and where, those that
//     were refused included. Of many refusals alike the record has a sum.
//
// Who posts what, and who is believed to have posted it, is for package wire and
// for who wires the two together.
package chatbot
