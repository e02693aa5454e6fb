"""The numerics: one table from name to code and text. Sources: https://modern.ircdocs.horse, https://defs.ircdocs.horse

A text holds what stands in the last parameter; what comes between is given where the numeric is sent.
"""

from __future__ import annotations

from typing import NamedTuple


class Numeric(NamedTuple):
    code: str
    text: str = ""


def _table(rows: str) -> dict[str, Numeric]:
    out = {}
    for row in rows.strip().splitlines():
        code, name, *text = row.split(" ", 2)
        out[name] = Numeric(code, text[0] if text else "")
    return out


NUMERICS: dict[str, Numeric] = _table("""
001 RPL_WELCOME
002 RPL_YOURHOST
003 RPL_CREATED
004 RPL_MYINFO
005 RPL_ISUPPORT are supported by this server
010 RPL_BOUNCE
104 RPL_ISUPPORT_END
211 RPL_STATSLINKINFO
212 RPL_STATSCOMMANDS
219 RPL_ENDOFSTATS End of /STATS report
221 RPL_UMODEIS
242 RPL_STATSUPTIME
243 RPL_STATSOLINE
251 RPL_LUSERCLIENT
252 RPL_LUSEROP operator(s) online
253 RPL_LUSERUNKNOWN unregistered connection(s)
254 RPL_LUSERCHANNELS channel(s) formed
255 RPL_LUSERME
256 RPL_ADMINME
257 RPL_ADMINLOC1
258 RPL_ADMINLOC2
259 RPL_ADMINEMAIL
263 RPL_TRYAGAIN Please wait a while and try again.
265 RPL_LOCALUSERS
266 RPL_GLOBALUSERS
276 RPL_WHOISCERTFP
301 RPL_AWAY
302 RPL_USERHOST
303 RPL_ISON
305 RPL_UNAWAY You are no longer marked as being away
306 RPL_NOWAWAY You have been marked as being away
307 RPL_WHOISREGNICK has identified for this nick
311 RPL_WHOISUSER
312 RPL_WHOISSERVER
313 RPL_WHOISOPERATOR is an IRC operator
314 RPL_WHOWASUSER
315 RPL_ENDOFWHO End of /WHO list
317 RPL_WHOISIDLE seconds idle, signon time
318 RPL_ENDOFWHOIS End of /WHOIS list
319 RPL_WHOISCHANNELS
320 RPL_WHOISSPECIAL
321 RPL_LISTSTART Users  Name
322 RPL_LIST
323 RPL_LISTEND End of /LIST
324 RPL_CHANNELMODEIS
329 RPL_CREATIONTIME
330 RPL_WHOISACCOUNT is logged in as
331 RPL_NOTOPIC No topic is set
332 RPL_TOPIC
333 RPL_TOPICWHOTIME
335 RPL_WHOISBOT
336 RPL_INVITELIST
337 RPL_ENDOFINVITELIST End of /INVITE list
338 RPL_WHOISACTUALLY is actually using host
341 RPL_INVITING
346 RPL_INVEXLIST
347 RPL_ENDOFINVEXLIST End of channel invite exception list
348 RPL_EXCEPTLIST
349 RPL_ENDOFEXCEPTLIST End of channel exception list
351 RPL_VERSION
352 RPL_WHOREPLY
353 RPL_NAMREPLY
354 RPL_WHOSPCRPL
364 RPL_LINKS
365 RPL_ENDOFLINKS End of /LINKS list
366 RPL_ENDOFNAMES End of /NAMES list
367 RPL_BANLIST
368 RPL_ENDOFBANLIST End of channel ban list
369 RPL_ENDOFWHOWAS End of WHOWAS
371 RPL_INFO
372 RPL_MOTD
374 RPL_ENDOFINFO End of /INFO list
375 RPL_MOTDSTART
376 RPL_ENDOFMOTD End of /MOTD command
378 RPL_WHOISHOST
379 RPL_WHOISMODES
381 RPL_YOUREOPER You are now an IRC operator
382 RPL_REHASHING Rehashing
391 RPL_TIME
396 RPL_VISIBLEHOST is now your visible host
400 ERR_UNKNOWNERROR
401 ERR_NOSUCHNICK No such nick/channel
402 ERR_NOSUCHSERVER No such server
403 ERR_NOSUCHCHANNEL No such channel
404 ERR_CANNOTSENDTOCHAN Cannot send to channel
405 ERR_TOOMANYCHANNELS You have joined too many channels
406 ERR_WASNOSUCHNICK There was no such nickname
407 ERR_TOOMANYTARGETS Too many targets
409 ERR_NOORIGIN No origin specified
410 ERR_INVALIDCAPCMD Invalid CAP command
411 ERR_NORECIPIENT
412 ERR_NOTEXTTOSEND No text to send
417 ERR_INPUTTOOLONG Input line was too long
421 ERR_UNKNOWNCOMMAND Unknown command
422 ERR_NOMOTD MOTD File is missing
431 ERR_NONICKNAMEGIVEN No nickname given
432 ERR_ERRONEUSNICKNAME Erroneous nickname
433 ERR_NICKNAMEINUSE Nickname is already in use
435 ERR_BANONCHAN Cannot change nickname while banned on channel
437 ERR_UNAVAILRESOURCE Nick/channel is temporarily unavailable
441 ERR_USERNOTINCHANNEL They aren't on that channel
442 ERR_NOTONCHANNEL You're not on that channel
443 ERR_USERONCHANNEL is already on channel
447 ERR_NONICKCHANGE Cannot change nickname
451 ERR_NOTREGISTERED You have not registered
461 ERR_NEEDMOREPARAMS Not enough parameters
462 ERR_ALREADYREGISTERED You may not reregister
464 ERR_PASSWDMISMATCH Password incorrect
465 ERR_YOUREBANNEDCREEP You are banned from this server.
468 ERR_INVALIDUSERNAME No letter or digit in this user name: another one is used
471 ERR_CHANNELISFULL Cannot join channel (+l)
472 ERR_UNKNOWNMODE is unknown mode char to me
473 ERR_INVITEONLYCHAN Cannot join channel (+i)
474 ERR_BANNEDFROMCHAN Cannot join channel (+b)
475 ERR_BADCHANNELKEY Cannot join channel (+k)
476 ERR_BADCHANMASK Bad Channel Mask
477 ERR_NEEDREGGEDNICK Only those with an account may do this
478 ERR_BANLISTFULL Channel list is full
481 ERR_NOPRIVILEGES Permission Denied- You're not an IRC operator
482 ERR_CHANOPRIVSNEEDED You're not channel operator
491 ERR_NOOPERHOST No O-lines for your host
501 ERR_UMODEUNKNOWNFLAG Unknown MODE flag
502 ERR_USERSDONTMATCH Cannot change mode for other users
524 ERR_HELPNOTFOUND No help available on this topic
525 ERR_INVALIDKEY Key is not well-formed
531 ERR_CANNOTSENDTOUSER You cannot send messages to this user
670 RPL_STARTTLS STARTTLS successful, proceed with TLS handshake
671 RPL_WHOISSECURE is using a secure connection
691 ERR_STARTTLS STARTTLS failed
696 ERR_INVALIDMODEPARAM
704 RPL_HELPSTART
705 RPL_HELPTXT
706 RPL_ENDOFHELP
723 ERR_NOPRIVS Insufficient oper privileges.
728 RPL_QUIETLIST
729 RPL_ENDOFQUIETLIST End of channel quiet list
730 RPL_MONONLINE
731 RPL_MONOFFLINE
732 RPL_MONLIST
733 RPL_ENDOFMONLIST End of MONITOR list
734 ERR_MONLISTFULL Monitor list is full.
760 RPL_WHOISKEYVALUE
761 RPL_KEYVALUE
762 RPL_METADATAEND end of metadata
764 ERR_METADATALIMIT metadata limit reached
766 RPL_KEYNOTSET no matching key
770 RPL_METADATASUBOK
771 RPL_METADATAUNSUBOK
772 RPL_METADATASUBS
774 RPL_METADATASYNCLATER
900 RPL_LOGGEDIN
901 RPL_LOGGEDOUT You are now logged out
902 ERR_NICKLOCKED You must use a nick assigned to you
903 RPL_SASLSUCCESS SASL authentication successful
904 ERR_SASLFAIL SASL authentication failed
905 ERR_SASLTOOLONG SASL message too long
906 ERR_SASLABORTED SASL authentication aborted
907 ERR_SASLALREADY You have already authenticated using SASL
908 RPL_SASLMECHS are available SASL mechanisms
960 RPL_ENDOFPROPLIST End of mode list
961 RPL_PROPLIST
962 RPL_ENDOFLISTPROPLIST End of list
963 RPL_LISTPROPLIST
""")
